// Package postgres speaks PostgreSQL's dialect: connections, quoting, the
// statements that make a table of a shape, and what the catalog says of
// existing ones. Every name it writes is qualified; its sessions search
// pg_catalog alone.
package postgres
