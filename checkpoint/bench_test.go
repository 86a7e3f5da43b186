package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
)

// BenchmarkNotes makes a store of ROWFERRY_BENCH_NOTES notes (10^4 where it is
// not set) in records of 20,000, keys in order or at random, and measures the last
// of them, Gets, an Open, and what memory the process has then.
func BenchmarkNotes(b *testing.B) {
	count, err := strconv.Atoi(os.Getenv("ROWFERRY_BENCH_NOTES"))
	if err != nil {
		count = 10_000
	}
	for _, order := range []string{"ordered", "random"} {
		if o := os.Getenv("ROWFERRY_BENCH_ORDER"); o != "" && o != order {
			continue
		}
		b.Run(fmt.Sprintf("%s/%d", order, count), func(b *testing.B) { benchNotes(b, count, order == "random") })
	}
}

func benchNotes(b *testing.B, count int, random bool) {
	const batch = 20_000
	dir := filepath.Join(b.TempDir(), "state")
	before, err := anonymous()
	if err != nil {
		b.Fatal(err)
	}
	s := open(b, dir)
	key := func(i int) []byte {
		n := uint64(i)
		if random {
			n *= 0x9e3779b97f4a7c15 // each once
		}
		return binary.BigEndian.AppendUint64([]byte("shop.orders/"), n)
	}
	seq := uint64(0)
	record := func(notes []rowferry.Note) time.Duration {
		seq++
		slices.SortFunc(notes, func(x, y rowferry.Note) int { return strings.Compare(string(x.Key), string(y.Key)) })
		r := recordOf(seq)
		r.Notes = notes
		begin := time.Now()
		mustRecord(b, s, r)
		return time.Since(begin)
	}
	notes := func(from, n int) (all []rowferry.Note) {
		for i := range n {
			all = append(all, rowferry.Note{Key: key(from + i), Value: fmt.Appendf(nil, "value of %020d", from+i)})
		}
		return all
	}
	begin := time.Now()
	for at := 0; at < count; at += batch {
		record(notes(at, min(batch, count-at)))
	}
	b.ReportMetric(float64(time.Since(begin).Nanoseconds())/float64(count), "ns/note")
	var large, small []time.Duration
	for i := range 20 {
		large = append(large, record(notes(count+i*batch, batch)))
	}
	for i := range 200 {
		small = append(small, record(notes(count+20*batch+i*50, 50)))
	}
	slices.Sort(large)
	slices.Sort(small)
	b.ReportMetric(float64(large[10].Microseconds())/1e3, "ms/20000")
	b.ReportMetric(float64(small[100].Microseconds())/1e3, "ms/50")
	r := rand.New(rand.NewPCG(1, 1))
	for range 2 {
		took := make([]time.Duration, 200_000)
		for i := range took {
			k := key(r.IntN(count))
			begin := time.Now()
			v, err := s.Get(k)
			took[i] = time.Since(begin)
			if err != nil || v == nil {
				b.Fatal(err)
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "ns/get-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "ns/get-p99")
	}
	now, err := anonymous()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(now-before)/(1<<20), "MiB-anon")
	used, err := diskUse(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(used)/(1<<20), "MiB-disk")
	mustClose(b, s)
	begin = time.Now()
	s = open(b, dir)
	b.ReportMetric(float64(time.Since(begin).Microseconds())/1e3, "ms/open")
	mustClose(b, s)
}
