package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/mysql"
	"github.com/rowferry/rowferry/source/postgres"
)

// meter counts rows from the first one to the end.
type meter struct {
	decoded
	begun     time.Time
	processor float64
	before    allocated
}

func startMeter() *meter {
	return &meter{begun: time.Now(), processor: processorTime(), before: allocatedNow()}
}

// processorTime is what this process has used of processors, in seconds.
func processorTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // its arguments are constant
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func (m *meter) stop() *decoded {
	m.Seconds = time.Since(m.begun).Seconds()
	m.Processor = processorTime() - m.processor
	m.Allocated = allocatedNow().since(m.before)
	return &m.decoded
}

// source is what is read, as Rowferry sees it.
func (job *decodeJob) source() (rowferry.Source, error) {
	scope := func(n schema.Name) bool { return n.Schema == database }
	from := fmt.Sprintf("%s:%d", job.From, job.FromAt)
	if !job.Wire {
		return mysql.Files(mysql.Options{Paths: job.Files, From: from, Scope: scope, Dump: job.Schema, DefaultDB: database}), nil
	}
	endpoint, err := connect.Parse(job.URL)
	if err != nil {
		return nil, err
	}
	if job.Slot != "" {
		return postgres.Live(postgres.Options{Endpoint: endpoint, Slot: job.Slot, Publication: publication, From: "earliest", Once: true, Scope: scope}), nil
	}
	return mysql.Live(mysql.LiveOptions{Endpoint: endpoint, From: from, Once: true, Scope: scope, Dump: job.Schema, DefaultDB: database}), nil
}

// decodeOurs reads as the engine does, and looks at every value.
func (job *decodeJob) decodeOurs(ctx context.Context) (*decoded, error) {
	source, err := job.source()
	if err != nil {
		return nil, err
	}
	r, err := source.Open(ctx, rowferry.Start{})
	if err != nil {
		return nil, err
	}
	m := startMeter()
	to := fmt.Sprintf("%s:%d", job.To, job.ToAt)
	for {
		tx, err := r.Next(ctx)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		for i := range tx.Changes {
			m.look(&tx.Changes[i])
		}
		if tx.Log == to || job.Slot != "" && m.Rows >= job.Rows {
			return m.stop(), r.Close()
		}
	}
}

// look materialises every value of a change.
func (m *meter) look(c *rowferry.Change) {
	if c.Before == nil && c.After == nil {
		return // a shape
	}
	m.Rows++
	for _, image := range []rowferry.Row{c.Before, c.After} {
		for _, v := range image {
			switch v.Kind() {
			case rowferry.Int:
				m.Values += int(v.Int()&1 | 1)
			case rowferry.Uint:
				m.Values += int(v.Uint()&1 | 1)
			case rowferry.Float:
				m.Values += min(1, 1+int(v.Float()*0))
			case rowferry.Text, rowferry.Bytes:
				m.Values += min(1, 1+len(v.Str()))
			case rowferry.Null, rowferry.Absent:
			}
		}
	}
}

// event counts the rows of an event that go-mysql has decoded.
func (m *meter) event(e *replication.BinlogEvent) {
	rows, ok := e.Event.(*replication.RowsEvent)
	if !ok || string(rows.Table.Schema) != database {
		return
	}
	n := len(rows.Rows)
	if rows.Type() == replication.EnumRowsEventTypeUpdate {
		n /= 2 // an image before and one after
	}
	m.Rows += n
	for _, image := range rows.Rows {
		for _, v := range image {
			if v != nil {
				m.Values++
			}
		}
	}
}

// flavor is go-mysql's name for it.
func (job *decodeJob) flavor() string {
	if job.MariaDB {
		return gomysql.MariaDBFlavor
	}
	return gomysql.MySQLFlavor
}

// decodeTheirsLive reads with go-mysql's syncer.
func (job *decodeJob) decodeTheirsLive(ctx context.Context) (*decoded, error) {
	s := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: 77, Flavor: job.flavor(), Host: "127.0.0.1", Port: uint16(job.Port), User: "root", Logger: slog.New(slog.DiscardHandler),
	})
	defer s.Close()
	stream, err := s.StartSync(gomysql.Position{Name: job.From, Pos: job.FromAt})
	if err != nil {
		return nil, err
	}
	m := startMeter()
	file := job.From
	for {
		e, err := stream.GetEvent(ctx)
		if err != nil {
			return nil, err
		}
		if r, ok := e.Event.(*replication.RotateEvent); ok {
			file = string(r.NextLogName)
		}
		m.event(e)
		if file == job.To && e.Header.LogPos >= job.ToAt {
			return m.stop(), nil
		}
	}
}

// readBuffer is what stands between a file and go-mysql's parser, which reads
// each event in two small parts.
const readBuffer = 1 << 20

// decodeTheirsFiles reads files with go-mysql's parser behind a buffer.
func (job *decodeJob) decodeTheirsFiles() (*decoded, error) {
	m := startMeter()
	p := replication.NewBinlogParser()
	p.SetFlavor(job.flavor())
	begun := false
	for _, path := range job.Files {
		begun = begun || filepath.Base(path) == job.From
		if !begun {
			continue
		}
		skip := int64(0)
		if filepath.Base(path) == job.From {
			skip = int64(job.FromAt)
		}
		if err := m.parseFile(p, path, skip); err != nil {
			return nil, err
		}
	}
	return m.stop(), nil
}

// parseFile parses a file from an offset on, its format description first.
func (m *meter) parseFile(p *replication.BinlogParser, path string, from int64) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	p.Reset()
	count := func(e *replication.BinlogEvent) error {
		m.event(e)
		return nil
	}
	magic := int64(len(replication.BinLogFileHeader))
	header := make([]byte, replication.EventHeaderSize)
	if _, err := f.ReadAt(header, magic); err != nil {
		return err
	}
	described := io.NewSectionReader(f, magic, int64(header[9])|int64(header[10])<<8)
	if _, err := p.ParseSingleEvent(described, count); err != nil {
		return err
	}
	if from < magic {
		from = magic
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return err
	}
	return p.ParseReader(bufio.NewReaderSize(f, readBuffer), count)
}

// schemaOf writes the tables of a log into a file.
func schemaOf(w *workload, dir string) (string, error) {
	var text bytes.Buffer
	for _, t := range append([]string{markerTable}, w.tables...) {
		fmt.Fprintf(&text, "%s;\n", t)
	}
	path := filepath.Join(dir, "schema.sql")
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}
