package mysql

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
)

const mariadbDump = `/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: it's; "shop
-- ------------------------------------------------------
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

CREATE DATABASE /*!32312 IF NOT EXISTS*/ ` + "`shop`" + ` /*!40100 DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci */;

USE ` + "`shop`" + `;
DROP TABLE IF EXISTS ` + "`a`" + `;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
CREATE TABLE ` + "`a`" + ` (
  ` + "`id`" + ` int(11) NOT NULL AUTO_INCREMENT COMMENT 'it''s; \' not the end',
  ` + "`n`" + ` varchar(5) DEFAULT NULL,
  PRIMARY KEY (` + "`id`" + `)
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
LOCK TABLES ` + "`a`" + ` WRITE;
/*!40000 ALTER TABLE ` + "`a`" + ` DISABLE KEYS */;
INSERT INTO ` + "`a`" + ` VALUES
(1,'; CREATE TABLE x (a INT);'),(2,'\'; -- "');
/*!40000 ALTER TABLE ` + "`a`" + ` ENABLE KEYS */;
UNLOCK TABLES;
/*!50003 SET sql_mode              = 'ANSI_QUOTES' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=` + "`root`@`localhost`" + `*/ /*!50003 TRIGGER tr BEFORE INSERT ON a
FOR EACH ROW BEGIN SET NEW.n = "n"; INSERT INTO b VALUES (1); END */;;
DELIMITER ;
CREATE TABLE "q" ("id" int NOT NULL, "t" text DEFAULT 'back\\slash;', UNIQUE KEY "u" ("id"));
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50001 CREATE VIEW ` + "`v`" + ` AS SELECT
 1 AS ` + "`id`" + ` */;
/*!50001 DROP VIEW IF EXISTS ` + "`v`" + `*/;
/*!50001 CREATE TABLE ` + "`w`" + ` (` + "`id`" + ` tinyint NOT NULL) ENGINE=MyISAM */;
/*!50001 DROP TABLE IF EXISTS ` + "`w`" + `*/;
CREATE SEQUENCE ` + "`s`" + ` start with 1;
DO SETVAL(` + "`s`" + `, 1001, 0);
ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES q (id); # by hand
-- Dump completed on 2026-01-01`

func TestLoadDump(t *testing.T) {
	cat := NewCatalog(MariaDB)
	if err := cat.LoadDump(strings.NewReader(mariadbDump), "unused"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range cat.Tables() {
		got = append(got, fmt.Sprintf("%s %d %s", x.Name, len(x.Columns), x.Columns[len(x.Columns)-1].Name))
	}
	if want := "shop.a 2 n, shop.q 2 t, shop.s 8 cycle_count"; strings.Join(got, ", ") != want {
		t.Errorf("tables %q, want %s", got, want)
	}
	if f := cat.Tables()[0].ForeignKeys; len(f) != 1 || f[0].Parent.String() != "shop.q" {
		t.Errorf("foreign keys %v", f)
	}
}

func TestLoadDumpIntoDatabase(t *testing.T) {
	cat := NewCatalog(MySQL)
	if err := cat.LoadDump(strings.NewReader("CREATE TABLE t (a VARCHAR(3)) CHARSET utf8mb4"), "d"); err != nil {
		t.Fatal(err)
	}
	// Servers since 8.0 print utf8mb4's collation where it is not that of 5.7.
	if x := cat.Tables()[0]; x.Name.Schema != "d" || x.Columns[0].Type.Collation != "utf8mb4_general_ci" {
		t.Errorf("shape %+v", x)
	}
}

func TestBadDump(t *testing.T) {
	for _, c := range []struct{ dump, say string }{
		{"", "no CREATE TABLE"},
		{"INSERT INTO t VALUES (1);", "no CREATE TABLE"},
		{"\x89PNG\r\n\x1a\n\x00\x00", "no statement this program knows"},
		{"hello: world\n", "no statement this program knows"},
		{"\n\n-- x\n\nCREATE TABLE t (a FROB);", "line: 5; table: d.t; statement: CREATE TABLE t (a FROB)"},
		{"CREATE TABLE t (a INT) COMMENT 'x", "a quote does not end"},
		{"CREATE TABLE t (a INT); /* x", "a comment does not end"},
		{"CREATE TABLE t SELECT 1", "does not say the columns of d.t"},
		{"CREATE TABLE t (a INT); ALTER TABLE u ADD a INT;", "the table was not known"},
		{"CREATE TABLE t (a INT COMMENT '" + strings.Repeat("x", maxStatement) + "');", "more than"},
		{"CREATE TABLE t (a ENUM('\xe9'));", "not valid UTF-8"},
		{"DELIMITER\nCREATE TABLE t (a INT)", "DELIMITER without"},
	} {
		err := NewCatalog(MySQL).LoadDump(strings.NewReader(c.dump), "d")
		if rowferry.CodeOf(err) != rowferry.CodeBadDump || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%.60q: %v, want %q", c.dump, err, c.say)
		}
	}
}

// rows is a dump with rows of any length, without holding them.
type rows struct {
	left int64
	tail io.Reader
}

func (r *rows) Read(b []byte) (int, error) {
	if r.left <= 0 {
		return r.tail.Read(b)
	}
	n := int(min(int64(len(b)), r.left))
	for i := range n {
		b[i] = "(1,'x'),"[(r.left-int64(i))&7]
	}
	r.left -= int64(n)
	return n, nil
}

func TestLoadDumpPassesRowsInLittleMemory(t *testing.T) {
	in := io.MultiReader(strings.NewReader("CREATE TABLE t (a INT); INSERT INTO t VALUES (1,'"),
		&rows{64 << 20, strings.NewReader("'); CREATE TABLE u (a INT);")})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cat := NewCatalog(MySQL)
	if err := cat.LoadDump(in, "d"); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
		t.Errorf("allocated %d MiB for 64 MiB of rows", n>>20)
	}
	if len(cat.Tables()) != 2 {
		t.Errorf("%d tables", len(cat.Tables()))
	}
}
