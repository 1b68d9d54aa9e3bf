//! The one table that is printed.

use std::time::Duration;

/// Figures in the order in which they were measured.
#[derive(Default)]
pub struct Table(Vec<[String; 4]>);

impl Table {
    /// A figure, what was measured, what it is compared with, and what both make.
    pub fn row(&mut self, figure: &str, measured: String, beside: &str, ratio: &str) {
        println!("  {figure}: {measured} ({beside}) {ratio}");
        self.0
            .push([figure.into(), measured, beside.into(), ratio.into()]);
    }

    /// Two times and their ratio.
    pub fn times(&mut self, figure: &str, measured: Duration, limit: (&str, Duration), goal: f64) {
        let ratio = measured.as_secs_f64() / limit.1.as_secs_f64();
        let beside = format!("{} {}", limit.0, time(limit.1));
        self.row(
            figure,
            time(measured),
            &beside,
            &format!("{ratio:.2} (goal {goal})"),
        );
    }

    /// Prints all of it, in columns.
    pub fn print(&self) {
        println!();
        println!(
            "{:<62} {:<22} {:<34} ratio",
            "figure", "measured", "raw client, limit or goal"
        );
        for [figure, measured, beside, ratio] in &self.0 {
            println!("{figure:<62} {measured:<22} {beside:<34} {ratio}");
        }
    }
}

/// Milliseconds below a second.
pub fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}

/// Of times in any order.
pub fn at(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}
