package checkpoint

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry"
)

func init() { roles["grow"] = growRole }

// growRole records small batches and prints the largest size the directory
// had and the most memory the process had above its beginning, in KiB.
func growRole(dir string) error {
	count, err := strconv.ParseUint(os.Getenv("ROWFERRY_TEST_UNTIL"), 10, 64)
	if err != nil {
		return err
	}
	before, err := anonymous()
	if err != nil {
		return err
	}
	s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, unsynced: true})
	if err != nil {
		return err
	}
	var size, memory int64
	for seq := uint64(1); seq <= count; seq++ {
		r := recordOf(seq)
		r.Checkpoint.Position += rowferry.Position(strings.Repeat("x", 300)) // a GTID set of a few servers
		if seq%1000 == 0 {
			r.Shapes = append(r.Shapes, tableOf("a", 20))
		}
		if err := s.Record(r); err != nil {
			return err
		}
		if seq%500 != 0 {
			continue
		}
		used, err := diskUse(dir)
		if err != nil {
			return err
		}
		now, err := anonymous()
		if err != nil {
			return err
		}
		size, memory = max(size, used), max(memory, now-before)
	}
	fmt.Println(size>>10, memory>>10)
	return s.Close()
}

// anonymous returns the process's anonymous resident memory in bytes.
func anonymous() (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int64
		if n, _ := fmt.Sscanf(lines.Text(), "RssAnon: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, errors.New("no RssAnon")
}

// diskUse returns the bytes that the files below dir occupy.
func diskUse(dir string) (int64, error) {
	var sum int64
	err := filepath.Walk(dir, func(_ string, fi fs.FileInfo, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed by a compaction just now
		}
		if err == nil && !fi.IsDir() {
			sum += fi.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	return sum, err
}

// TestMemoryStaysBounded and the disk does: superseded records leave both. The
// runtime is told a limit, as the engine tells it, so that what counts is what
// is in use and not what the collector has yet to find.
func TestMemoryStaysBounded(t *testing.T) {
	count := scaled(200_000)
	cmd := victim("grow", stateDir(t), fmt.Sprint("ROWFERRY_TEST_UNTIL=", count), "GOMEMLIMIT=32MiB")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var size, memory int64
	if _, err := fmt.Sscan(string(out), &size, &memory); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records: at most %d KiB on disk, %d KiB in memory", count, size, memory)
	if size > 32<<10 {
		t.Errorf("the directory grew to %d KiB", size)
	}
	if memory > 32<<10 {
		t.Errorf("memory grew by %d KiB", memory)
	}
}

// TestCloseLeavesNoGoroutine. Badger tells one of its goroutines to end
// without waiting for it, so the test lets the others run until it has.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		s, err := Open(context.Background(), Options{Dir: stateDir(t), Pipeline: pipeline})
		if err != nil {
			t.Fatal(err)
		}
		if runtime.NumGoroutine() <= before {
			t.Fatal("an open store has no goroutine: this test shows nothing")
		}
		mustRecord(t, s, recordOf(1))
		mustClose(t, s)
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i == 1_000_000 {
			buf := make([]byte, 64<<10)
			t.Fatalf("%d goroutines are left:\n%s", runtime.NumGoroutine()-before, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

func BenchmarkRecord(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "state"))
	seq := uint64(0)
	for b.Loop() {
		seq++
		if err := s.Record(recordOf(seq)); err != nil {
			b.Fatal(err)
		}
	}
}
