package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/schema"
)

// The values of Options.Partitions.
const (
	PartitionsRoot = "root"
	PartitionsLeaf = "leaf"
)

// The values of Options.Origin.
const (
	OriginAny  = "any"
	OriginNone = "none"
)

// Options configure reading the log of a PostgreSQL database.
type Options struct {
	// Endpoint is the server, whom to log in as, and the database that is read:
	// a role with the attribute REPLICATION, and, to make the publication, one
	// that owns the tables in scope and has CREATE on the database.
	Endpoint connect.Endpoint
	// Pipeline names the pipeline; slot and publication are called after it.
	// Required where Slot or Publication is empty.
	Pipeline string
	// Slot and Publication are names of those to use; "" calls them after the
	// pipeline. They are made where they are missing and a pipeline begins.
	Slot, Publication string
	// Temporary reads by a slot that ends with the reader, called after Slot,
	// from now on. No publication is made for it, and a reader cannot be opened
	// at a position.
	Temporary bool
	// Partitions says under which name rows of partitioned tables arrive:
	// PartitionsRoot or PartitionsLeaf. "" is PartitionsRoot for a publication
	// that is made, and as it was made for one that exists.
	Partitions string
	// Origin says whether changes are read that the source has received by
	// replication itself: OriginAny, which "" means too, or OriginNone.
	Origin string
	// From is where a Reader begins that is not told where: "latest" makes the
	// slot, and begins with it; "earliest", which "" means too, is what an
	// existing slot has confirmed; an LSN must not be before that.
	From string
	// Until is an LSN at which the log ends for the Reader, after the transaction
	// that reaches it, or an RFC 3339 time, after which no transaction was
	// committed. Empty: never; "latest" is Once.
	Until string
	// Once ends the log where it ended when Open was called.
	Once bool
	// Scope says which tables are read; nil means all. It has to give the same
	// answer every time.
	Scope func(schema.Name) bool
	// ChunkBytes bounds how much of a transaction is held at once, in bytes of
	// decoded changes; a larger one arrives in chunks. 0 means
	// DefaultChunkBytes.
	ChunkBytes int
	// Log receives what is of interest only when something is wrong. Nil:
	// nothing is logged.
	Log *slog.Logger
}

// longestName is the most bytes of a name in PostgreSQL (NAMEDATALEN - 1).
const longestName = 63

// NameOf returns what slot and publication of a pipeline are called: rowferry_
// and the pipeline's name in the characters that a slot may have. Where that
// lost something, a digest of the name makes it unique.
func NameOf(pipeline string) string {
	const prefix = "rowferry_"
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, pipeline)
	if plain == pipeline && len(prefix+plain) <= longestName {
		return prefix + plain
	}
	sum := sha256.Sum256([]byte(pipeline))
	tail := "_" + hex.EncodeToString(sum[:4])
	plain = prefix + plain
	return plain[:min(len(plain), longestName-len(tail))] + tail
}

// CheckSlotName refuses a name that PostgreSQL gives no slot.
func CheckSlotName(name string) error {
	ok := len(name) > 0 && len(name) <= longestName
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_')
	}
	if !ok {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is no name of a replication slot", name).
			Remedy("write", "up to %d of lower-case letters, digits and _", longestName)
	}
	return nil
}

// CheckPublicationName refuses a name that PostgreSQL gives no publication.
func CheckPublicationName(name string) error {
	if name == "" || len(name) > longestName || strings.ContainsRune(name, 0) {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is no name of a publication", name).
			Remedy("write", "up to %d bytes", longestName)
	}
	return nil
}

// settle fills in the names and refuses what makes no sense.
func (o *Options) settle() error {
	if o.Slot == "" {
		o.Slot = NameOf(o.Pipeline)
	}
	if o.Publication == "" {
		o.Publication = NameOf(o.Pipeline)
	}
	if err := CheckSlotName(o.Slot); err != nil {
		return err
	}
	if err := CheckPublicationName(o.Publication); err != nil {
		return err
	}
	if o.Origin == "" {
		o.Origin = OriginAny
	}
	if o.Origin != OriginAny && o.Origin != OriginNone {
		return rowferry.Errorf(rowferry.CodeBadValue, "origin: %q is neither any nor none", o.Origin)
	}
	switch o.Partitions {
	case "", PartitionsRoot, PartitionsLeaf:
	default:
		return rowferry.Errorf(rowferry.CodeBadValue, "partitions: %q is neither root nor leaf", o.Partitions)
	}
	if o.Scope == nil {
		o.Scope = func(schema.Name) bool { return true }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
