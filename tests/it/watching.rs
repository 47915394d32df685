//! What those see who watch it: metrics, dashboards and rules, and that these ask for what is really there.

mod dashboards;
mod picture;
mod prometheus;
mod promql;
mod queries;
mod refusing;
mod rules;
