package mysql

import (
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

const (
	// rotation is how long a server may take from the ROTATE that ends a file
	// to the format description that begins the next. Both carry the time of
	// the statement that rotated the log, so that it is mostly nothing.
	rotation = time.Minute
	// clockStep is how far a server's clock may go back over a restart.
	clockStep = time.Hour
)

// join is what speaks against a file being the one that follows another, apart
// from the transactions that their heads name. Each is nil where nothing does.
type join struct {
	server   error // another server wrote it
	rotation error // the other's end, if it has one, did not begin it
	clock    error // its server started long before the other was begun
	names    error // neither names nor the end of the other say that it follows
}

// ended is how a file came to its end, as far as it was read.
type ended struct {
	file   logFile
	head   *head
	last   header // of its last event
	rotate string // the next file, as a ROTATE at the end names it
}

// joined compares the end of a file with the head of the next. A running
// server ends a file with ROTATE and begins the next one in the same statement,
// and therefore with the same time, id and version; where a server starts, its
// first file has the time of that in its body, which is 0 in all others. The
// time of a file is that of the session that began it, which may be set and on
// a replica is the original's: only the two sides of one rotation can be
// compared.
func joined(was *ended, next logFile, h *head) join {
	is := parseHeader(h.format)
	return join{was.server(next, is), was.rotation(next, h, is), was.clock(next, h, is), was.names(next, h)}
}

func (was *ended) end() replication.EventType { return was.last.typ }

// server compares who wrote the files. The id may be set while a server runs
// and a restart take that back, so that both ends of the file are asked.
func (was *ended) server(next logFile, is header) error {
	first := parseHeader(was.head.format).server
	last := first
	switch was.end() {
	case replication.ROTATE_EVENT:
		first, last = was.last.server, was.last.server
	case replication.STOP_EVENT:
		last = was.last.server
	default: // the server did not end it
	}
	if is.server == first || is.server == last {
		return nil
	}
	return was.stranger(next, "another server wrote it").
		Fact("server id of "+was.file.name, "%d", last).Fact("server id of "+next.name, "%d", is.server)
}

func (was *ended) rotation(next logFile, h *head, is header) error {
	if h.started != 0 {
		return nil
	}
	switch ended, begun := clock(was.last.time), clock(is.time); {
	case was.end() == replication.STOP_EVENT:
		return was.stranger(next, "a running server began it, and %s ends with its server's shutdown", was.file.name)
	case was.end() != replication.ROTATE_EVENT:
		return nil // which names settles
	case h.srv != was.head.srv:
		return was.stranger(next, "a server of version %s began it, and version %s ended %s", h.srv.version, was.head.srv.version, was.file.name)
	case begun.Sub(ended).Abs() > rotation:
		return was.stranger(next, "it was not begun when %s ended", was.file.name).
			Fact("ended", "%s", ended.Format(time.RFC3339)).Fact("begun", "%s", begun.Format(time.RFC3339))
	default:
		return nil
	}
}

func (was *ended) clock(next logFile, h *head, is header) error {
	before, begun := clock(parseHeader(was.head.format).time), clock(is.time)
	if h.started == 0 || !begun.Add(clockStep).Before(before) {
		return nil
	}
	return was.stranger(next, "it is older than %s", was.file.name).
		Fact(was.file.name, "begun %s", before.Format(time.RFC3339)).Fact(next.name, "begun %s", begun.Format(time.RFC3339))
}

func clock(seconds uint32) time.Time { return time.Unix(int64(seconds), 0).UTC() }

// names reports where only the file names could say that nothing is missing,
// and do not.
func (was *ended) names(next logFile, h *head) error {
	numbered := was.file.numbered && next.numbered // and follows was content
	switch {
	case was.end() == replication.ROTATE_EVENT && (numbered || next.name == was.rotate):
		return nil
	case was.end() == replication.ROTATE_EVENT:
		return unnamedFile(was.file, next).Fact("need", "%s", was.rotate).
			Remedy("rename", "give the files the names they have on their server: after %s comes %q", was.file.name, was.rotate)
	case h.started == 0 && was.end() != replication.STOP_EVENT:
		return rowferry.Errorf(rowferry.CodeTruncatedLog, "%s lacks its end, and %s follows it", was.file.name, next.name).
			Fact("reason", "%s was begun by a rotation, and no ROTATE ends %s", next.name, was.file.name).
			Remedy("get the whole file", "copy %s again from the server or its backup", was.file.name)
	case numbered:
		return nil
	default:
		return unnamedFile(was.file, next).
			Remedy("rename", "give the files the names they have on their server, such as \"mysql-bin.000002\"")
	}
}

func unnamedFile(file, next logFile) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeLogMissing, "nothing says that %s follows %s", next.name, file.name).
		Fact("reason", "the log has no GTIDs, so that only file names tell whether a file is missing")
}

func (was *ended) stranger(next logFile, format string, args ...any) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeLineageBroken, "%s does not continue %s", next.name, was.file.name).
		Fact("reason", format, args...).
		Remedy("give", "the files of one server, none from before it was reset or restored").
		Remedy("go on all the same", "replay only the files from %s on; without GTIDs, after rowferry checkpoint set %s:%d", next.name, next.name, magicSize)
}
