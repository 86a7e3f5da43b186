package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Every value begins with the version of its encoding, 1.
const codecVersion = 1

// head is what outlives the markers it speaks of.
//
//	version, uvarint first, uvarint pruned
type head struct {
	first  uint64 // the first sequence ever recorded; 0 when none was
	pruned uint64 // no checkpoint at or before it is kept
}

func (h head) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint([]byte{codecVersion}, h.first), h.pruned)
}

func decodeHead(b []byte) (head, error) {
	var h head
	err := decodeNumbers(b, &h.first, &h.pruned)
	return h, err
}

// marker says that the record of its sequence is whole.
//
//	version, uvarint prev, uvarint shapes, uvarint steps where there are any
type marker struct {
	prev   uint64 // the sequence recorded before, or head.pruned
	shapes uint64 // how many shape versions there are up to this one
	steps  uint64 // in how many steps its notes were set
}

func (m marker) encode() []byte {
	b := binary.AppendUvarint(binary.AppendUvarint([]byte{codecVersion}, m.prev), m.shapes)
	if m.steps > 0 {
		b = binary.AppendUvarint(b, m.steps)
	}
	return b
}

func decodeMarker(b []byte) (marker, error) {
	var m marker
	if err := decodeNumbers(b, &m.prev, &m.shapes); err == nil {
		return m, nil
	}
	return m, decodeNumbers(b, &m.prev, &m.shapes, &m.steps)
}

func decodeNumbers(b []byte, into ...*uint64) error {
	if len(b) == 0 || b[0] != codecVersion {
		return errors.New("unknown encoding")
	}
	b = b[1:]
	for _, v := range into {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return errors.New("a number is cut off")
		}
		*v, b = n, b[size:]
	}
	if len(b) != 0 {
		return errors.New("bytes after the end")
	}
	return nil
}

// A blob is what is written under parts of one key: version, kind, uvarint
// length of the data, CRC-32C of the data (uint32 little endian), data.
const (
	blobCheckpoint = 'c'
	blobShape      = 's'
	blobDropped    = 'd'
	blobRules      = 'r'
	blobNote       = 'n'
	blobUndo       = 'u'
)

func encodeBlob(kind byte, data []byte) []byte {
	b := make([]byte, 0, 2+binary.MaxVarintLen64+4+len(data))
	b = binary.AppendUvarint(append(b, codecVersion, kind), uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(data, castagnoli))
	return append(b, data...)
}

func decodeBlob(b []byte) (kind byte, data []byte, err error) {
	if len(b) < 2 || b[0] != codecVersion {
		return 0, nil, errors.New("unknown encoding")
	}
	kind = b[1]
	n, size := binary.Uvarint(b[2:])
	if size <= 0 || uint64(len(b)) < uint64(2+size+4) || n != uint64(len(b)-2-size-4) {
		return 0, nil, errors.New("the length does not match")
	}
	b = b[2+size:]
	data = b[4:]
	if binary.LittleEndian.Uint32(b) != crc32.Checksum(data, castagnoli) {
		return 0, nil, errChecksum
	}
	return kind, data, nil
}

// stored is a checkpoint as it is written, in JSON: a form of its own, so that
// the root's names may change without changing what is on disk.
type stored struct {
	Pipeline string                `json:"pipeline"`
	Position rowferry.Position     `json:"position"`
	Lineage  string                `json:"lineage,omitempty"`
	Start    rowferry.Position     `json:"start"`
	Fence    uint64                `json:"fence"`
	Sequence uint64                `json:"sequence"`
	Config   string                `json:"config"`
	StateID  string                `json:"state_id"`
	Shapes   int                   `json:"held_shapes,omitempty"`
	Oldest   rowferry.Position     `json:"held_oldest,omitempty"`
	Copy     rowferry.CopyPhase    `json:"copy,omitempty"`
	Until    rowferry.Mark         `json:"copy_until,omitempty"`
	Server   string                `json:"copy_server,omitempty"`
	Orphans  rowferry.OrphanPolicy `json:"copy_orphans,omitempty"`
	Partial  bool                  `json:"copy_partial,omitempty"`
	Tables   []schema.Name         `json:"copy_tables,omitempty"`
	Copied   bool                  `json:"copy_copied,omitempty"`
	Mapped   int64                 `json:"notes_mapped,omitempty"`
	Waiting  int64                 `json:"notes_waiting,omitempty"`
	By       uint64                `json:"held_fence,omitempty"`
	Removing bool                  `json:"removing,omitempty"`
	Rejected int64                 `json:"notes_rejected,omitempty"`
	Fetched  int64                 `json:"notes_fetched,omitempty"`
	Filtered int64                 `json:"notes_filtered,omitempty"`
	Log      string                `json:"log,omitempty"`
	Commit   time.Time             `json:"commit"`
	Updated  time.Time             `json:"updated"`
	Format   int                   `json:"format"`
	Extent   string                `json:"extent,omitempty"`
	Rules    string                `json:"rules,omitempty"` // SHA-256 of the rules text, hexadecimal; none when empty
}

func encodeCheckpoint(c rowferry.Checkpoint, rules string) ([]byte, error) {
	return json.Marshal(stored{
		Pipeline: c.Pipeline, Position: c.Position, Lineage: c.Lineage, Start: c.Start,
		Fence: c.Fence, Sequence: c.Sequence, Config: c.Config, StateID: c.StateID,
		Shapes: c.Held.Shapes, Oldest: c.Held.Oldest, Copy: c.Held.Copy.Phase, Until: c.Held.Copy.Until, Server: c.Held.Copy.Server,
		Orphans: c.Held.Copy.Orphans, Partial: c.Held.Copy.Partial, Tables: c.Held.Copy.Tables, Copied: c.Held.Copy.Copied,
		Mapped: c.Held.Notes.Mapped, Waiting: c.Held.Notes.Waiting, Rejected: c.Held.Notes.Rejected, Fetched: c.Held.Notes.Fetched, Filtered: c.Held.Notes.Filtered, By: c.Held.Fence, Removing: c.Held.Removing, Log: c.Log,
		Commit: c.Commit.UTC(), Updated: c.Updated.UTC(), Format: c.Format, Extent: c.Extent, Rules: rules,
	})
}

// decodeCheckpoint returns the checkpoint and the hash of its rules; hasRules
// is false where it has none.
func decodeCheckpoint(data []byte) (c rowferry.Checkpoint, rules [32]byte, hasRules bool, err error) {
	var s stored
	if err := decodeStrict(data, &s); err != nil {
		return c, rules, false, err
	}
	if s.Rules != "" {
		h, err := hex.DecodeString(s.Rules)
		if err != nil || len(h) != len(rules) {
			return c, rules, false, errors.New("the hash of the rules is malformed")
		}
		copy(rules[:], h)
	}
	return rowferry.Checkpoint{
		Pipeline: s.Pipeline, Position: s.Position, Lineage: s.Lineage, Start: s.Start,
		Fence: s.Fence, Sequence: s.Sequence, Config: s.Config, StateID: s.StateID,
		Held: rowferry.Held{
			Shapes: s.Shapes, Oldest: s.Oldest, Copy: rowferry.CopyState{Phase: s.Copy, Until: s.Until, Server: s.Server, Orphans: s.Orphans, Partial: s.Partial, Tables: s.Tables, Copied: s.Copied},
			Notes: rowferry.Kept{Mapped: s.Mapped, Waiting: s.Waiting, Rejected: s.Rejected, Fetched: s.Fetched, Filtered: s.Filtered}, Fence: s.By, Removing: s.Removing,
		},
		Log: s.Log, Commit: s.Commit, Updated: s.Updated, Format: s.Format, Extent: s.Extent,
	}, rules, s.Rules != "", nil
}

func decodeTable(data []byte) (*schema.Table, error) {
	var t schema.Table
	if err := decodeStrict(data, &t); err != nil {
		return nil, err
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return &t, nil
}

// decodeStrict decodes one JSON value without unknown fields.
func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("bytes after the end")
	}
	return nil
}
