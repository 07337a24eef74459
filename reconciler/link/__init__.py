"""MQTT: assignments out, status in, and the embedded broker."""
