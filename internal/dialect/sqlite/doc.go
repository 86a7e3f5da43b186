// Package sqlite is what Rowferry knows of SQLite's own language: quoting,
// looking at existing tables, and making new ones. It knows tables and
// statements, never rows or pipelines.
//
// Tables are made STRICT, so the database needs SQLite 3.37 or newer.
package sqlite
