//! What the operator tells about itself: logs and health.

pub mod health;
pub mod logging;
pub mod metrics;
pub mod served;
