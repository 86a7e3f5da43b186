package faultproxy

import "strings"

// wholeSize is up to how many bytes a message is kept until it is whole. No
// COMMIT is longer.
const wholeSize = 64 << 10

// piece is part of what the client says: a whole message, or a part of a long
// one.
type piece struct {
	data         []byte
	begins, ends bool // a COMMIT does
	statement    bool // it runs one, or several that were sent as one text
}

// scanner follows the two streams of a connection.
type scanner interface {
	// client takes what the client says and returns what may be forwarded. What
	// it keeps comes with the rest of its message.
	client(data []byte) []piece
	// server takes what the server says and reports whether it has now answered
	// all it was asked.
	server(data []byte) bool
	// blind reports that the streams cannot be read.
	blind() bool
}

func newScanner(p Protocol) scanner {
	switch p {
	case MySQL:
		return &mysqlScanner{prepared: map[uint32]bool{}}
	case Postgres:
		return &postgresScanner{starting: true, statements: map[string]bool{}, portals: map[string]bool{}}
	default:
		return opaqueScanner{}
	}
}

type opaqueScanner struct{}

func (opaqueScanner) client(data []byte) []piece { return []piece{{data: data}} }
func (opaqueScanner) server([]byte) bool         { return false }
func (opaqueScanner) blind() bool                { return true }

// isCommit reports whether one of the statements of a text is COMMIT.
func isCommit(text string) bool {
	for statement := range strings.SplitSeq(strings.TrimRight(text, "\x00"), ";") {
		words := strings.Fields(statement)
		if len(words) == 0 || !strings.EqualFold(words[0], "COMMIT") {
			continue
		}
		if len(words) == 1 || !strings.EqualFold(words[1], "PREPARED") {
			return true
		}
	}
	return false
}
