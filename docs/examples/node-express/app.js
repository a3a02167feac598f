// Receive webhooks with Express: verify, drop duplicates, suppress bad addresses, answer fast.
import express from "express";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { credential } from "./binding.js";
import { Store } from "./store.js";

const webhook = new Webhook(credential("webhook_secret"));
const store = new Store(process.env.DATABASE ?? "events.db");
const app = express();
const raw = express.raw({ type: () => true, limit: "300kb" }); // the bytes as they came: the signature is over these

app.post("/webhooks/ses", raw, (request, response) => {
  let message;
  try {
    message = webhook.verify(request.body.toString("utf8"), request.headers);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    return response.status(401).send("The signature does not match");
  }
  const events = message.type === "batch" ? message.data : [{ ...message, id: request.headers["webhook-id"] }];
  console.log(`events: ${events.length} received, ${store.handle(events)} new`);
  response.status(204).end();
});

app.listen(process.env.PORT ?? 8080, "127.0.0.1");
