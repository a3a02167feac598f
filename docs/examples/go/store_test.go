package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

func parsed(t *testing.T, text string) event {
	t.Helper()
	var read event
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestAPermanentBounceSuppressesItsRecipientsOnce(t *testing.T) {
	store, err := openStore(filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	bounce := parsed(t, `{"id": "msg_1", "type": "email.bounced",
		"data": {"bounce": {"class": "permanent"}, "recipients": [{"email": "Joe@shop.example"}]}}`)
	for _, expected := range []int{1, 0} {
		if added, err := store.handle([]event{bounce}); err != nil || added != expected {
			t.Fatalf("added %d, %v; expected %d", added, err, expected)
		}
	}
	if found, err := store.isSuppressed("joe@shop.example"); err != nil || !found {
		t.Fatalf("not suppressed: %v", err)
	}
	if found, err := store.isSuppressed("ann@shop.example"); err != nil || found {
		t.Fatalf("suppressed without a cause: %v", err)
	}
}

func TestATransientBounceSuppressesNobody(t *testing.T) {
	bounce := parsed(t, `{"id": "msg_2", "type": "email.bounced", "data": {"bounce": {"class": "transient"}}}`)
	if reason := reasonToSuppress(bounce); reason != "" {
		t.Fatal(reason)
	}
}
