package example;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Locale;
import org.springframework.dao.DuplicateKeyException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.annotation.Transactional;

/** What the application remembers. An H2 file here; in your application this is your own database. */
@Repository
class Store {
    private final JdbcTemplate database;

    Store(JdbcTemplate database) {
        this.database = database;
    }

    /**
     * Handles all events or none, each once, and returns how many were new. An event's id and its effects are written
     * in one transaction: after a crash before the commit, the sender gets no 2xx and sends the event again.
     */
    @Transactional
    public int handle(List<JsonNode> events) {
        int added = 0;
        for (var event : events) {
            if (insert("INSERT INTO handled (id) VALUES (?)", event.path("id").asText())) {
                added++;
                suppress(event);
            }
        }
        return added;
    }

    /** Whether an address must get no more mail. Ask before you send. */
    boolean isSuppressed(String email) {
        var found = database.queryForList("SELECT reason FROM suppressed WHERE email = ?", lower(email));
        return !found.isEmpty();
    }

    /**
     * A permanent bounce means that the mailbox does not exist. A complaint names candidates: any of them may have
     * complained, so none gets more mail.
     */
    private void suppress(JsonNode event) {
        var type = event.path("type").asText();
        var data = event.path("data");
        var bounced = type.equals("email.bounced") && data.at("/bounce/class").asText().equals("permanent");
        var complained = type.equals("email.complained")
                && !data.at("/complaint/feedback_type").asText().equals("not-spam");
        if (bounced || complained) {
            for (var recipient : data.path("recipients")) {
                var reason = bounced ? "bounced" : "complained";
                insert("INSERT INTO suppressed VALUES (?, ?)", lower(recipient.path("email").asText()), reason);
            }
        }
    }

    private boolean insert(String statement, Object... values) {
        try {
            return database.update(statement, values) == 1;
        } catch (DuplicateKeyException known) {
            return false;
        }
    }

    private static String lower(String email) {
        return email.toLowerCase(Locale.ROOT);
    }
}
