// What the application remembers: events it has handled, and addresses it must not write to again.
import { DatabaseSync } from "node:sqlite"; // Node.js 22.13 or later; in your application this is your own database

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS handled (id TEXT PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP);
  CREATE TABLE IF NOT EXISTS suppressed (email TEXT PRIMARY KEY, reason TEXT NOT NULL);
`;

export class Store {
  #database;

  constructor(path) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(SCHEMA);
  }

  // Handle all events or none, each once. Returns how many were new. An event's id and its effects are written in one
  // transaction: if the process crashes before the commit, the sender gets no 2xx and sends the event again.
  handle(events) {
    let added = 0;
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const event of events) {
        const inserted = this.#database.prepare("INSERT OR IGNORE INTO handled (id) VALUES (?)").run(event.id);
        if (inserted.changes === 0) continue;
        added += 1;
        for (const [email, reason] of toSuppress(event)) {
          this.#database.prepare("INSERT OR IGNORE INTO suppressed VALUES (?, ?)").run(email.toLowerCase(), reason);
        }
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
    return added;
  }

  // Whether this address must get no more mail. Ask before you send.
  isSuppressed(email) {
    return this.#database.prepare("SELECT 1 FROM suppressed WHERE email = ?").get(email.toLowerCase()) !== undefined;
  }
}

// The addresses that an event says not to write to again, each with a reason. A permanent bounce means that the
// mailbox does not exist. A complaint names candidates: any of them may have complained, so none gets more mail.
export function toSuppress({ type, data }) {
  if (type === "email.bounced" && data.bounce.class === "permanent") {
    return data.recipients.map(({ email }) => [email, "bounced"]);
  }
  if (type === "email.complained" && data.complaint.feedback_type !== "not-spam") {
    return data.recipients.map(({ email }) => [email, "complained"]);
  }
  return [];
}
