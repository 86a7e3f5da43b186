// Command custom-handler is rowferry with a handler of its own: customers arrive with
// masked emails and, as columns, their addresses, which the source has in a table of
// their own.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/cmd/cli"
	"github.com/rowferry/rowferry/schema"
)

func main() {
	os.Exit(cli.Main(cli.WithHandler("shop.customers,shop.addresses", customers{})))
}

// target is the table that the handler writes: id, email, name, billing, shipping.
var target = &schema.Table{
	Name: schema.Name{Table: "customers"},
	Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 32, Unsigned: true}},
		{Name: "email", Type: text}, {Name: "name", Type: text},
		{Name: "billing", Type: text, Nullable: true}, {Name: "shipping", Type: text, Nullable: true},
	},
	PrimaryKey: []int{0}, ConstraintsKnown: true,
}

var text = schema.Type{Kind: schema.Text, Charset: "utf8mb4"}

type customers struct{}

func (customers) Target(schema.Name) schema.Name { return target.Name }

// Version changes when other rows come of the same changes.
func (customers) Version() string { return "1" }

func (customers) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	if c.Op == rowferry.Shape {
		return append(dst, rowferry.Mutation{Op: rowferry.Shape, Table: target}), nil
	}
	if c.Op != rowferry.Insert && c.Op != rowferry.Update && c.Op != rowferry.Delete {
		return dst, fmt.Errorf("a %s of %s is not known here", c.Op, c.Table.Name)
	}
	if c.Table.Name.Table == "customers" {
		m := rowferry.Mutation{Op: c.Op, Table: target, Before: customer(c, c.Before), After: customer(c, c.After)}
		if c.Op == rowferry.Insert { // a new row is whole
			m.After[3], m.After[4] = rowferry.NullValue(), rowferry.NullValue()
		}
		return append(dst, m), nil
	}
	if slices.ContainsFunc(slices.Concat(c.Before, c.After), rowferry.Value.IsAbsent) {
		return dst, fmt.Errorf("an address is not logged whole: binlog_row_image has to be FULL")
	}
	if c.Before != nil {
		dst = append(dst, address(c, c.Before, rowferry.NullValue()))
	}
	if c.After != nil {
		line := column(c, c.After, "street").Str() + ", " + column(c, c.After, "city").Str() + ", " + column(c, c.After, "country").Str()
		dst = append(dst, address(c, c.After, rowferry.TextValue(line)))
	}
	return dst, nil
}

func column(c *rowferry.Change, r rowferry.Row, name string) rowferry.Value {
	return r[c.Table.Column(name)]
}

// customer is the target's row of a customer, without addresses: these are absent, so
// that an update leaves them alone.
func customer(c *rowferry.Change, r rowferry.Row) rowferry.Row {
	if r == nil {
		return nil
	}
	email := column(c, r, "email")
	if !email.IsAbsent() {
		sum := sha256.Sum256([]byte("a secret of yours" + email.Str()))
		email = rowferry.TextValue(hex.EncodeToString(sum[:6]) + "@example.invalid")
	}
	return rowferry.Row{column(c, r, "id"), email, column(c, r, "full_name"), {}, {}}
}

// address is an update of the customer whose address it is.
func address(c *rowferry.Change, r rowferry.Row, line rowferry.Value) rowferry.Mutation {
	id, into := column(c, r, "customer_id"), target.Column(column(c, r, "kind").Str())
	m := rowferry.Mutation{Op: rowferry.Update, Table: target, Before: make(rowferry.Row, len(target.Columns)), After: make(rowferry.Row, len(target.Columns))}
	m.Before[0] = id
	m.After[into] = line
	return m
}
