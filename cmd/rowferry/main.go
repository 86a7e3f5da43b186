// Command rowferry replays a database's own log into another database.
package main

import (
	"os"

	"github.com/rowferry/rowferry/cmd/cli"
)

func main() { os.Exit(cli.Main()) }
