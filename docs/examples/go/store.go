package main

import (
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

var handled, suppressed = []byte("handled"), []byte("suppressed")

type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data struct {
		Recipients []struct {
			Email string `json:"email"`
		} `json:"recipients"`
		Bounce struct {
			Class string `json:"class"`
		} `json:"bounce"`
		Complaint struct {
			FeedbackType string `json:"feedback_type"`
		} `json:"complaint"`
	} `json:"data"`
}

// store is what the application remembers: events it has handled, and addresses it must not write to again.
// It is a bbolt file; in your application it is your own database.
type store struct{ database *bbolt.DB }

func openStore(path string) (*store, error) {
	database, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	return &store{database}, database.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{handled, suppressed} {
			if _, err := tx.CreateBucketIfNotExists(bucket); err != nil {
				return err
			}
		}
		return nil
	})
}

// handle handles all events or none, each once, and returns how many were new. An event's id and its effects are
// written in one transaction: after a crash before the commit, the sender gets no 2xx and sends the event again.
func (s *store) handle(events []event) (added int, err error) {
	err = s.database.Update(func(tx *bbolt.Tx) error {
		added = 0
		for _, event := range events {
			if tx.Bucket(handled).Get([]byte(event.ID)) != nil {
				continue
			}
			added++
			if err := tx.Bucket(handled).Put([]byte(event.ID), []byte(time.Now().UTC().Format(time.RFC3339))); err != nil {
				return err
			}
			if reason := reasonToSuppress(event); reason != "" {
				for _, recipient := range event.Data.Recipients {
					if err := tx.Bucket(suppressed).Put([]byte(strings.ToLower(recipient.Email)), []byte(reason)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	return added, err
}

// isSuppressed says whether an address must get no more mail. Ask before you send.
func (s *store) isSuppressed(email string) (found bool, err error) {
	err = s.database.View(func(tx *bbolt.Tx) error {
		found = tx.Bucket(suppressed).Get([]byte(strings.ToLower(email))) != nil
		return nil
	})
	return found, err
}

// reasonToSuppress says why an event's recipients get no more mail, or "". A permanent bounce means that the mailbox
// does not exist. A complaint names candidates: any of them may have complained, so none gets more mail.
func reasonToSuppress(event event) string {
	switch {
	case event.Type == "email.bounced" && event.Data.Bounce.Class == "permanent":
		return "bounced"
	case event.Type == "email.complained" && event.Data.Complaint.FeedbackType != "not-spam":
		return "complained"
	}
	return ""
}
