// Receive webhooks with Go's net/http: verify, drop duplicates, suppress bad addresses, answer fast.
package main

import (
	"cmp"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const maxBody = 300_000 // bytes; a batch has at most 256 KB

type message struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

func main() {
	secret, err := credential("webhook_secret")
	if err != nil {
		log.Fatal(err)
	}
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		log.Fatal(err)
	}
	store, err := openStore(cmp.Or(os.Getenv("DATABASE"), "events.db"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /webhooks/ses", receive(webhook, store))
	server := http.Server{Addr: "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "8080"), ReadTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func receive(webhook *standardwebhooks.Webhook, store *store) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)) // the bytes as they came: the signature is over these
		if err != nil {
			http.Error(w, "The body is too large or incomplete", http.StatusRequestEntityTooLarge)
			return
		}
		if err := webhook.Verify(body, r.Header); err != nil {
			http.Error(w, "The signature does not match", http.StatusUnauthorized)
			return
		}
		events, err := eventsOf(body, r.Header.Get("webhook-id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		added, err := store.handle(events)
		if err != nil {
			log.Print(err)
			http.Error(w, "The events could not be stored", http.StatusInternalServerError)
			return
		}
		log.Printf("events: %d received, %d new", len(events), added)
		w.WriteHeader(http.StatusNoContent)
	}
}

// eventsOf reads a body: one event, whose id is the header, or a batch, in which each event has an id of its own.
func eventsOf(body []byte, id string) ([]event, error) {
	var read message
	if err := json.Unmarshal(body, &read); err != nil {
		return nil, err
	}
	if read.Type == "batch" {
		var events []event
		err := json.Unmarshal(read.Data, &events)
		return events, err
	}
	single := event{ID: id, Type: read.Type}
	err := json.Unmarshal(read.Data, &single.Data)
	return []event{single}, err
}
