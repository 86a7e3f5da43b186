package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/rowferry/rowferry/cmd/cli"
)

// The program runs itself, with one of these as its first argument, where what
// is measured can only be told from inside.
const (
	engineChild = "child:engine" // Rowferry, then what it allocated
	decodeChild = "child:decode" // a reader alone
)

// memstatsFile names, in the environment, where engineChild writes.
const memstatsFile = "ROWBENCH_MEMSTATS"

// allocated is what a process has allocated in its life.
type allocated struct {
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

func allocatedNow() allocated {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return allocated{m.Mallocs, m.TotalAlloc}
}

func (a allocated) since(b allocated) allocated {
	return allocated{a.Objects - b.Objects, a.Bytes - b.Bytes}
}

// child runs as one of them and returns the exit code, false if that is not
// what it was started as.
func child(args []string) (code int, is bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case engineChild:
		return runEngine(args[1:]), true
	case decodeChild:
		err := runDecode(args[1:], os.Stdout)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1, true
		}
		return 0, true
	default:
		return 0, false
	}
}

// runEngine is the rowferry program, which writes at its end what it allocated.
func runEngine(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := cli.Run(ctx, args, os.Stdin, os.Stdout, os.Stderr, os.Environ())
	data, err := json.Marshal(allocatedNow())
	if err == nil {
		err = os.WriteFile(os.Getenv(memstatsFile), data, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// decodeJob is what a decodeChild is to read.
type decodeJob struct {
	Reader  string   `json:"reader"` // rowferry or go-mysql
	Wire    bool     `json:"wire"`   // from the server, else from its files
	URL     string   `json:"url"`    // of the server
	MariaDB bool     `json:"mariadb"`
	Port    int      `json:"port"`
	Files   []string `json:"files"`
	Schema  string   `json:"schema"` // file with the tables
	// Slot is a PostgreSQL server's, and Rows are how many to read there.
	Slot string `json:"slot"`
	Rows int    `json:"rows"`
	// From and To are places of a log of files.
	From   string `json:"from"`
	FromAt uint32 `json:"from_at"`
	To     string `json:"to"`
	ToAt   uint32 `json:"to_at"`
}

// decoded is what it did.
type decoded struct {
	Rows      int       `json:"rows"`
	Values    int       `json:"values"` // that are not NULL
	Seconds   float64   `json:"seconds"`
	Processor float64   `json:"processor"` // seconds of it
	Allocated allocated `json:"allocated"`
}

// runDecode is a decodeChild; it answers on out.
func runDecode(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: one decodeJob")
	}
	var job decodeJob
	if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
		return err
	}
	var d *decoded
	var err error
	switch {
	case job.Reader == "rowferry":
		d, err = job.decodeOurs(context.Background())
	case job.Reader == "go-mysql" && job.Wire:
		d, err = job.decodeTheirsLive(context.Background())
	case job.Reader == "go-mysql":
		d, err = job.decodeTheirsFiles()
	default:
		err = fmt.Errorf("no reader is called %q", job.Reader)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(d)
}

// run runs the job in a process of its own, on one core.
func (job *decodeJob) run(ctx context.Context) (*decoded, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, decodeChild, string(text))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	var out, logged bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &logged
	ended, err := startChild(cmd, func() {})
	if err != nil {
		return nil, err
	}
	if err := <-ended; err != nil {
		return nil, fmt.Errorf("decode with %s: %w\n%s", job.Reader, err, tail(logged.String()))
	}
	d := &decoded{}
	return d, json.Unmarshal(out.Bytes(), d)
}
