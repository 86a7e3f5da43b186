package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rowferry/rowferry"
)

// wishesFile in the state directory has what the next run is to do first with rows
// that were put aside. To do it twice is to do it once: a row that is not there any
// more is passed over, and numbers are not used again.
const wishesFile = "wishes.json"

func (s *settings) wishesPath() string { return filepath.Join(s.state, wishesFile) }

// notedWishes are those of the file, nil where there is none.
func (s *settings) notedWishes() (list []rowferry.Wish, err error) {
	text, err := os.ReadFile(s.wishesPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, rowferry.Errorf(rowferry.CodeStateCorrupt, "what was noted for rows that were put aside cannot be read: %w", err).
			Fact("file", "%s", s.wishesPath()).Remedy("note it again", "remove the file, and rowferry rejects retry")
	}
	return list, nil
}

// noteWishes adds to the file, which is replaced as a whole.
func (s *settings) noteWishes(list []rowferry.Wish) error {
	all, err := s.notedWishes()
	if err != nil {
		return err
	}
	text, err := json.Marshal(append(all, list...))
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.wishesPath()+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(s.wishesPath()+".new", s.wishesPath())
}

// wishesDone is told what became of the noted wishes. What could not be done is told
// and not tried at each start.
func (w *wiring) wishesDone(err error) {
	if err != nil {
		if rowferry.CodeOf(err) == rowferry.CodeNoEngine {
			return // the run ended before
		}
		w.in.log.Warn("what was noted for rows that were put aside could not be done", "because", err)
	}
	if err := os.Remove(w.settings.wishesPath()); err != nil {
		w.in.log.Warn("what was noted for rows that were put aside is done, and done again with the next run", "because", err)
	}
}
