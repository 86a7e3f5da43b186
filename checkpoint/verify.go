package checkpoint

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// maxTable bounds what verifyFiles reads into memory. Tables are made of one
// memtable, or by a compaction of about BaseTableSize.
const maxTable = 256 << 20

// verifyFiles checks the manifest, the tables it names and the memtable logs
// for damage that Badger would not answer with an error: it ends the process
// on a broken table index and on failed assertions, panics in goroutines of
// its own, and allocates by lengths it has not checked. After a clean shutdown
// the manifest must be whole and name every table: Badger would remove those
// that it does not.
func verifyFiles(dir string, opt badger.Options, clean bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if os.IsNotExist(err) {
		return nil // a new database, or one that has no content: the caller knows
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	m, end, err := badger.ReplayManifestFile(f, opt.ExternalMagicVersion, opt)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errDamaged, badger.ManifestFilename, err)
	}
	if clean {
		if err := verifyManifest(f, end, m); err != nil {
			return err
		}
	}
	for id, t := range m.Tables {
		if int(t.Level) >= opt.MaxLevels || t.KeyID != 0 || t.Compression != opt.Compression {
			return fmt.Errorf("%w: %s describes a table that is not ours", errDamaged, badger.ManifestFilename)
		}
		path := table.NewFilename(id, dir)
		if err := verifyTable(path); err != nil {
			return fmt.Errorf("%w: %s: %w", errDamaged, filepath.Base(path), err)
		}
	}
	return verifyLogs(dir, 4*opt.MemTableSize)
}

// verifyManifest checks that the manifest ends where its last whole entry
// does, and that no table is there which it does not name.
func verifyManifest(f *os.File, end int64, m badger.Manifest) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if fi.Size() != end {
		return fmt.Errorf("%w: %s is cut off", errDamaged, badger.ManifestFilename)
	}
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(f.Name()), "*.sst"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		id, ok := table.ParseFileID(path)
		if _, named := m.Tables[id]; !ok || !named {
			return fmt.Errorf("%w: %s does not name %s", errDamaged, badger.ManifestFilename, filepath.Base(path))
		}
	}
	return nil
}

func verifyTable(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if fi.Size() > maxTable {
		return fmt.Errorf("it has %d bytes", fi.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return checkTable(b)
}

// checkTable checks a table of Badger's format: blocks, then the index, its
// length, its checksum, and that one's length. Everything is covered by a
// checksum: the index by the last one, each block by its own. Numbers are
// 32 bits big endian. (Badger v4, table/builder.go.) An index whose checksum
// is right and whose content is not makes the FlatBuffers reader panic, which
// is returned as well.
func checkTable(b []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("index: %v", p)
		}
	}()
	rest, sum, err := cutTail(b)
	if err != nil {
		return fmt.Errorf("checksum: %w", err)
	}
	rest, index, err := cutTail(rest)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if err := checkSum(index, sum); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if len(index) < 8 { // the smallest FlatBuffer: a root offset and a table
		return fmt.Errorf("index: it is empty")
	}
	ti := fb.GetRootAsTableIndex(index, 0)
	if ti.OffsetsLength() == 0 {
		return fmt.Errorf("it has no blocks")
	}
	var bo fb.BlockOffset
	for i := range ti.OffsetsLength() {
		if !ti.Offsets(&bo, i) {
			return fmt.Errorf("block %d is not in the index", i)
		}
		start, end := uint64(bo.Offset()), uint64(bo.Offset())+uint64(bo.Len())
		if end > uint64(len(rest)) {
			return fmt.Errorf("block %d lies outside", i)
		}
		data, sum, err := cutTail(rest[start:end])
		if err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		if err := checkSum(data, sum); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	}
	return nil
}

// cutTail cuts off a part that is followed by its length.
func cutTail(b []byte) (rest, tail []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("it is cut off")
	}
	n := uint64(binary.BigEndian.Uint32(b[len(b)-4:]))
	b = b[:len(b)-4]
	if n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%d bytes where %d are left", n, len(b))
	}
	return b[:uint64(len(b))-n], b[uint64(len(b))-n:], nil
}

func checkSum(data, sum []byte) error {
	var want pb.Checksum
	if err := proto.Unmarshal(sum, &want); err != nil {
		return err
	}
	if want.Algo != pb.Checksum_CRC32C {
		return fmt.Errorf("unknown checksum %d", want.Algo)
	}
	return y.VerifyChecksum(data, &want)
}

// verifyLogs refuses a memtable log with an entry that claims more than any
// log can hold. Entries that are merely cut off or overwritten are not looked
// for: Badger ends its replay before them, as after a power cut.
func verifyLogs(dir string, most int64) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		fi, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if fi.Mode().Type() != fs.FileMode(0) || fi.Size() > most {
			return fmt.Errorf("%w: %s is no log of ours", errDamaged, filepath.Base(path))
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := checkLog(b, most); err != nil {
			return fmt.Errorf("%w: %s: %w", errDamaged, filepath.Base(path), err)
		}
	}
	return nil
}

// checkLog walks the entries of a memtable log: after a header of 20 bytes,
// whose first 8 are the number of an encryption key, each entry is meta, user
// meta, key length, value length, expiry (uvarints), key, value, CRC of 4
// bytes. (Badger v4, structs.go and memtable.go.)
func checkLog(b []byte, most int64) error {
	const header = 20
	if len(b) < header {
		return nil
	}
	if binary.BigEndian.Uint64(b) != 0 {
		return fmt.Errorf("it is encrypted")
	}
	for b = b[header:]; len(b) > 2; {
		at := 2
		var n [3]uint64
		for i := range n {
			v, size := binary.Uvarint(b[at:])
			if size <= 0 {
				return nil // cut off
			}
			n[i], at = v, at+size
		}
		if n[0] == 0 {
			return nil // the end
		}
		if n[0] > 1<<16 || n[1] > uint64(most) {
			return fmt.Errorf("an entry claims a key of %d and a value of %d bytes", n[0], n[1])
		}
		next := uint64(at) + n[0] + n[1] + 4
		if next > uint64(len(b)) {
			return nil // cut off
		}
		b = b[next:]
	}
	return nil
}
