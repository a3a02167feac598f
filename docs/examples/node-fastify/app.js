// Receive webhooks with Fastify: verify, drop duplicates, suppress bad addresses, answer fast.
import Fastify from "fastify";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { credential } from "./binding.js";
import { Store } from "./store.js";

const webhook = new Webhook(credential("webhook_secret"));
const store = new Store(process.env.DATABASE ?? "events.db");
const app = Fastify({ bodyLimit: 300_000 }); // bytes; a batch has at most 256 KB

// Keep the bytes as they came, whatever the content type says: the signature is over these.
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));

app.post("/webhooks/ses", async (request, reply) => {
  let message;
  try {
    message = webhook.verify(request.body, request.headers);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    return reply.code(401).send("The signature does not match");
  }
  const events = message.type === "batch" ? message.data : [{ ...message, id: request.headers["webhook-id"] }];
  console.log(`events: ${events.length} received, ${store.handle(events)} new`);
  return reply.code(204).send();
});

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT ?? 8080) });
