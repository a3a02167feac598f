-- What the application remembers: events it has handled, and addresses it must not write to again.
CREATE TABLE IF NOT EXISTS handled (id VARCHAR(100) PRIMARY KEY, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE IF NOT EXISTS suppressed (email VARCHAR(320) PRIMARY KEY, reason VARCHAR(20) NOT NULL);
