package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Badger's sizes, in bytes. Every value is at most chunkSize, so it stays in
// the LSM tree and the value log stays empty (C4).
const (
	memtableSize   = 1 << 20
	valueThreshold = 128 << 10 // at most 15% of a memtable
	chunkSize      = 64 << 10
	leastTable     = 512 << 10
)

// mostTables is how many tables of the state are aimed at: each is mapped into memory,
// and Linux lets a process have 65,530 maps.
const mostTables = 1 << 14

// tableSize returns how large the tables are of a state that takes so many bytes. They
// are of one size on all levels, and small, since a compaction has up to 13 of them in
// memory, with room for 4 times each. With tables that doubled by the level, a state of
// 300 MB took 180 MB.
func tableSize(bytes int64) int64 {
	size := int64(leastTable)
	for size*mostTables < bytes {
		size *= 2
	}
	return size
}

// tablesIn returns how many bytes the tables in a directory take.
func tablesIn(dir string) (bytes int64, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	for _, path := range paths {
		fi, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		bytes += fi.Size()
	}
	return bytes, err
}

// badgerOptions bounds Badger to at most four memtables of 1.4 MiB, the buffers
// of the tables it is writing, and no cache: blocks are read through the page
// cache, uncompressed. A transaction holds at most 15% of a memtable and about
// 1,600 keys; DiscardAfter needs room in one for a key per retained checkpoint.
func badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(nil).
		WithMetricsEnabled(false).
		WithSyncWrites(true).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithMemTableSize(memtableSize).
		WithNumMemtables(2).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(1 << 20).
		WithBaseTableSize(leastTable).
		WithBaseLevelSize(2 << 20).
		WithNumCompactors(2).
		WithNumGoroutines(1).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithChecksumVerificationMode(options.OnBlockRead)
}

// openBadger opens the database, after checking the files as far as Badger
// itself would answer damage by ending the process; clean tells that a
// shutdown was, so that a crash is no excuse. What Badger then panics with is
// returned. A failed open may leave a few of its goroutines behind.
func openBadger(dir string, opt badger.Options, clean bool) (db *badger.DB, err error) {
	if err := verifyFiles(dir, opt, clean); err != nil {
		return nil, err
	}
	if err := tidyBadger(dir); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("%w: badger panicked: %v", errDamaged, p)
		}
	}()
	db, err = badger.Open(opt)
	if err == nil || isFull(err) || errors.Is(err, fs.ErrPermission) {
		return db, err
	}
	return nil, fmt.Errorf("%w: %w", errDamaged, err)
}

var errDamaged = errors.New("badger cannot read its files")

// tidyBadger removes files that hold nothing of ours, so that their damage
// cannot matter: the value log, its statistics, and the registry of
// encryption keys (none is used) are made anew. An empty memtable log is what
// a crash between the making and the sizing of the file leaves, and Badger
// refuses to open with one.
func tidyBadger(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		drop := name == "DISCARD" || name == "KEYREGISTRY" || strings.HasSuffix(name, ".vlog")
		if strings.HasSuffix(name, ".mem") {
			fi, err := e.Info()
			if err != nil {
				return err
			}
			drop = fi.Size() == 0
		}
		if !drop {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// dirSyncer makes new directory entries durable. Badger syncs the content of
// a new memtable log but not the directory it is in, so after a power cut the
// log, and all that was acknowledged in it, could be gone.
type dirSyncer struct {
	dir    string
	synced time.Time // modification time of the directory as of the last sync
}

// sync syncs the directory when entries were added since the last time. Where
// the change is so recent that another could bear the same time, it is synced
// again the next time.
func (d *dirSyncer) sync() error {
	fi, err := os.Stat(d.dir)
	if err != nil {
		return err
	}
	changed := fi.ModTime()
	if changed.Equal(d.synced) {
		return nil
	}
	if err := syncDir(d.dir); err != nil {
		return err
	}
	if time.Since(changed) > time.Second {
		d.synced = changed
	}
	return nil
}
