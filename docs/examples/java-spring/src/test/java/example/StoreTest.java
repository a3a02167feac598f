package example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.autoconfigure.jdbc.JdbcTest;
import org.springframework.context.annotation.Import;

@JdbcTest(properties = "spring.datasource.url=jdbc:h2:mem:test")
@Import(Store.class)
class StoreTest {
    private static final String BOUNCE = """
            {"id": "msg_1", "type": "email.bounced",
             "data": {"bounce": {"class": "permanent"}, "recipients": [{"email": "Joe@shop.example"}]}}""";

    @Autowired private Store store;

    @Test
    void aPermanentBounceSuppressesItsRecipientsOnce() throws Exception {
        var bounce = new ObjectMapper().readTree(BOUNCE);
        assertEquals(1, store.handle(List.of(bounce)));
        assertEquals(0, store.handle(List.of(bounce)));
        assertTrue(store.isSuppressed("joe@shop.example"));
        assertFalse(store.isSuppressed("ann@shop.example"));
    }
}
