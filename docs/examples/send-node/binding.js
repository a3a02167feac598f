// Where the application finds its binding's credentials.
import { globSync, readFileSync } from "node:fs";

// A credential of the binding, such as "webhook_secret". Cloud Foundry puts credentials into VCAP_SERVICES, the
// Kubernetes service binding specification into one file each under SERVICE_BINDING_ROOT. An environment variable of
// the credential's name in capitals is taken before both.
export function credential(name) {
  const value = process.env[name.toUpperCase()];
  if (value) return value;
  const root = process.env.SERVICE_BINDING_ROOT;
  for (const file of root ? globSync(`${root}/*/${name}`) : []) return readFileSync(file, "utf8").trim();
  for (const service of JSON.parse(process.env.VCAP_SERVICES ?? "{}")["aws-ses"] ?? []) {
    return service.credentials[name];
  }
  throw new Error(`${name}: bind the application to an aws-ses instance, or set ${name.toUpperCase()}`);
}
