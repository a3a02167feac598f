package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// credential returns a credential of the binding, such as "webhook_secret". Cloud Foundry puts credentials into
// VCAP_SERVICES, the Kubernetes service binding specification into one file each under SERVICE_BINDING_ROOT. An
// environment variable of the credential's name in capitals is taken before both.
func credential(name string) (string, error) {
	if value := os.Getenv(strings.ToUpper(name)); value != "" {
		return value, nil
	}
	if root := os.Getenv("SERVICE_BINDING_ROOT"); root != "" {
		if files, _ := filepath.Glob(filepath.Join(root, "*", name)); len(files) > 0 {
			content, err := os.ReadFile(files[0])
			return strings.TrimSpace(string(content)), err
		}
	}
	var services map[string][]struct {
		Credentials map[string]any `json:"credentials"`
	}
	if err := json.Unmarshal([]byte(os.Getenv("VCAP_SERVICES")), &services); err == nil {
		for _, service := range services["aws-ses"] {
			if value, ok := service.Credentials[name].(string); ok {
				return value, nil
			}
		}
	}
	return "", fmt.Errorf("%s: bind the application to an aws-ses instance, or set %s", name, strings.ToUpper(name))
}
