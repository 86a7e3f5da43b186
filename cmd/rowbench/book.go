package main

import (
	"encoding/json"
	"errors"
	"os"
)

// book is the record of what was measured, by row and parameters, in a file
// that is replaced after every row. A row that is in it is not measured again.
type book struct {
	path    string
	results map[string]*record
}

// record is a row's result, and what it was measured with: program, workload
// and parameters, in one key that changes with any of them.
type record struct {
	Key     string   `json:"key"`
	Entries []*entry `json:"entries"`
}

func openBook(path string) (*book, error) {
	b := &book{path: path, results: map[string]*record{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	return b, json.Unmarshal(data, &b.results)
}

// get returns a row's result if it was measured with this key, else nil.
func (b *book) get(name, key string) []*entry {
	if r := b.results[name]; r != nil && r.Key == key {
		return r.Entries
	}
	return nil
}

// put records a row's result.
func (b *book) put(name, key string, e []*entry) error {
	b.results[name] = &record{key, e}
	data, err := json.MarshalIndent(b.results, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(b.path, data)
}
