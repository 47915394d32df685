//! What those see who watch it: the real program, scraped by a real Prometheus.

mod prometheus;
