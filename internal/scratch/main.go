package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/rowferry/rowferry/internal/testdb"
)

func main() {
	kind := testdb.Kind(os.Args[1])
	ctx := context.Background()
	var opts []testdb.Option
	for _, a := range os.Args[3:] {
		opts = append(opts, testdb.Arg(a))
	}
	s, err := testdb.Launch(ctx, kind, opts...)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	s.ResetBinlog(ctx)
	b, _ := os.ReadFile(os.Args[2])
	conn, err := s.DB().Conn(ctx)
	if err != nil {
		panic(err)
	}
	for _, q := range strings.Split(string(b), ";\n") {
		if strings.TrimSpace(q) == "" {
			continue
		}
		if strings.TrimSpace(q) == "RECONNECT" {
			conn.Close()
			conn, _ = s.DB().Conn(ctx)
			continue
		}
		if _, err := conn.ExecContext(ctx, q); err != nil {
			fmt.Printf("!! %s: %v\n", q, err)
		}
	}
	files, _ := s.BinlogFiles()
	for _, f := range files {
		fmt.Println("==", f)
		if out := os.Getenv("OUT"); out != "" {
			data, _ := os.ReadFile(f)
			os.WriteFile(out+f[len(f)-6:], data, 0o644)
		}
		p := replication.NewBinlogParser()
		p.SetFlavor(string(kind.Flavor()))
		off := 4
		p.SetVerifyChecksum(true)
		err := p.ParseFile(f, 0, func(e *replication.BinlogEvent) error {
			dump(off, e, "")
			off += int(e.Header.EventSize)
			return nil
		})
		if err != nil {
			fmt.Println("ERR", err)
		}
	}
}

func dump(off int, e *replication.BinlogEvent, ind string) {
	h := e.Header
	fmt.Printf("%s%6d %3d %-22s fl=%04x srv=%d logpos=%d size=%d ", ind, off, h.EventType, h.EventType, h.Flags, h.ServerID, h.LogPos, h.EventSize); fmt.Printf("ts=%d ", h.Timestamp)
	switch v := e.Event.(type) {
	case *replication.QueryEvent:
		fmt.Printf("db=%s q=%q sv=%x err=%d", v.Schema, v.Query, v.StatusVars, v.ErrorCode)
	case *replication.TableMapEvent:
		fmt.Printf("id=%d %s.%s cols=%d names=%s flags=%x", v.TableID, v.Schema, v.Table, v.ColumnCount, v.ColumnName, v.Flags)
	case *replication.RowsEvent:
		fmt.Printf("id=%d flags=%x %v", v.TableID, v.Flags, v.Rows)
	case *replication.GTIDEvent:
		g, _ := v.GTIDNext()
		fmt.Printf("cf=%d %v imm=%d orig=%d", v.CommitFlag, g, v.ImmediateCommitTimestamp, v.OriginalCommitTimestamp)
	case *replication.GtidTaggedLogEvent:
		g, _ := v.GTIDNext()
		fmt.Printf("cf=%d %v raw=%x", v.CommitFlag, g, e.RawData[19:])
	case *replication.MariadbGTIDEvent:
		fmt.Printf("%v flags=%x raw=%x", v.GTID, v.Flags, e.RawData[19:])
	case *replication.MariadbGTIDListEvent:
		fmt.Printf("%v", v.GTIDs)
	case *replication.PreviousGTIDsEvent:
		fmt.Printf("%v", v.GTIDSets)
	case *replication.RotateEvent:
		fmt.Printf("%d %s", v.Position, v.NextLogName)
	case *replication.GenericEvent:
		fmt.Printf("%x %q", v.Data, v.Data)
	case *replication.TransactionPayloadEvent:
		fmt.Printf("size=%d un=%d type=%d\n", v.Size, v.UncompressedSize, v.CompressionType)
		for _, x := range v.Events {
			dump(0, x, "      ")
		}
	case *replication.FormatDescriptionEvent:
		fmt.Printf("%s alg=%d", v.ServerVersion, v.ChecksumAlgorithm)
	}
	fmt.Println()
}
