package example;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.standardwebhooks.Webhook;
import com.standardwebhooks.exceptions.WebhookVerificationException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;

/** Receives webhooks with Spring Boot: verify, drop duplicates, suppress bad addresses, answer fast. */
@RestController
class Receiver {
    private static final int MAX_BODY = 300_000; // bytes; a batch has at most 256 KB

    private final Logger logger = LoggerFactory.getLogger(Receiver.class);
    private final ObjectMapper json = new ObjectMapper();
    private final Webhook webhook = new Webhook(Binding.credential("webhook_secret"));
    private final Store store;

    Receiver(Store store) {
        this.store = store;
    }

    /** Handles one request: 401 if it was not signed with our secret, 204 as soon as its events are stored. */
    @PostMapping("/webhooks/ses")
    ResponseEntity<String> receive(@RequestBody byte[] bytes, @RequestHeader HttpHeaders headers)
            throws JsonProcessingException {
        if (bytes.length > MAX_BODY) {
            return ResponseEntity.status(413).build();
        }
        var body = new String(bytes, StandardCharsets.UTF_8); // the signature is over the body as it came
        try {
            webhook.verify(body, headers);
        } catch (WebhookVerificationException error) {
            return ResponseEntity.status(401).body("The signature does not match");
        }
        var events = eventsOf(json.readTree(body), headers.getFirst("webhook-id"));
        logger.info("events: {} received, {} new", events.size(), store.handle(events));
        return ResponseEntity.noContent().build();
    }

    /** One event, whose id is the header, or those of a batch, in which each has an id of its own. */
    private static List<JsonNode> eventsOf(JsonNode message, String id) {
        var events = new ArrayList<JsonNode>();
        if (message.path("type").asText().equals("batch")) {
            message.path("data").forEach(events::add);
        } else {
            events.add(((ObjectNode) message).put("id", id));
        }
        return events;
    }
}
