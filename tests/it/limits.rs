//! Limits, outages and the operator's hand, on the real program. At their real length: `make endurance`.

mod outages;
mod pace;
mod pausing;
