package failpoint

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadStageRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stage")
	if _, err := ReadStage(path); err == nil {
		t.Error("a missing file is read")
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadStage(path); err == nil {
		t.Error("a short file is read")
	}
	if err := os.WriteFile(path, make([]byte, stageSlot*stageSlots), 0o600); err != nil {
		t.Fatal(err)
	}
	if name, err := ReadStage(path); name != "" || err != nil {
		t.Errorf("an untouched stage file reads as %q, %v", name, err)
	}
}
