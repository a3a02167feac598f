package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Where the application finds its binding's credentials. */
final class Binding {
    private Binding() {}

    /**
     * A credential of the binding, such as "webhook_secret". Cloud Foundry puts credentials into VCAP_SERVICES, the
     * Kubernetes service binding specification into one file each under SERVICE_BINDING_ROOT. An environment variable
     * of the credential's name in capitals is taken before both.
     */
    static String credential(String name) {
        var variable = name.toUpperCase(Locale.ROOT);
        var found = System.getenv(variable);
        try {
            if (found == null) found = fromFiles(name);
            if (found == null) found = fromCloudFoundry(name);
        } catch (IOException error) {
            throw new IllegalStateException(name + " could not be read", error);
        }
        if (found == null) {
            throw new IllegalStateException(name + ": bind the application to an aws-ses instance, or set " + variable);
        }
        return found;
    }

    private static String fromFiles(String name) throws IOException {
        var root = System.getenv("SERVICE_BINDING_ROOT");
        if (root == null) return null;
        try (var bindings = Files.newDirectoryStream(Path.of(root))) {
            for (var binding : bindings) {
                if (Files.exists(binding.resolve(name))) return Files.readString(binding.resolve(name)).strip();
            }
        }
        return null;
    }

    private static String fromCloudFoundry(String name) throws IOException {
        var services = System.getenv("VCAP_SERVICES");
        if (services == null) return null;
        var credentials = new ObjectMapper().readTree(services).at("/aws-ses/0/credentials");
        return credentials.path(name).asText(null);
    }
}
