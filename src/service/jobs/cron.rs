//! Pure: is a cron pattern one that Zato's scheduler takes and that ever matches?
//!
//! What Zato reads is less than what libraries for such patterns read: no names, no wrap-around, no larger steps. What it
//! cannot read would be written, and never run.

/// The fields: their names, and the smallest and largest number.
const FIELDS: [(&str, u32, u32); 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
];

/// What is wrong with a pattern, if something is.
pub fn problem(pattern: &str) -> Option<String> {
    let fields: Vec<&str> = pattern.split(' ').collect();
    if fields.len() != FIELDS.len() {
        return Some(format!("cron {pattern} has {} fields: write five", fields.len()));
    }
    let mut numbers = vec![];
    for (text, (name, low, high)) in fields.into_iter().zip(FIELDS) {
        match field(text, low, high) {
            Ok(found) => numbers.push(found),
            Err(why) => return Some(format!("cron {pattern}: {name} {text} {why}")),
        }
    }
    // In a leap year: some year has that day.
    let days = |month: &u32| match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let (day, longest) = (numbers[2].iter().min(), numbers[3].iter().map(days).max());
    (day > longest.as_ref())
        .then(|| format!("cron {pattern} never matches: none of its months has such a day"))
}

/// The numbers that a field matches.
fn field(text: &str, low: u32, high: u32) -> Result<Vec<u32>, String> {
    let mut all = vec![];
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, 1, high)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (number(first, low, high)?, number(last, low, high)?),
            None => {
                let first = number(range, low, high)?;
                (first, if step.is_some() { high } else { first })
            }
        };
        if first > last {
            return Err(format!("goes from {first} down to {last}: write two ranges"));
        }
        let step = step.unwrap_or(1);
        if step > 1 && first + step > last {
            return Err(format!("has a step of {step}, which leads out of {first}-{last}"));
        }
        all.extend((first..=last).step_by(step as usize));
    }
    Ok(all)
}

fn number(text: &str, low: u32, high: u32) -> Result<u32, String> {
    let parsed = text.parse().ok().filter(|number| (low..=high).contains(number));
    parsed.ok_or_else(|| format!("has {text:?} where a number from {low} to {high} is needed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// As the library of Zato 3.2 takes them.
    #[rstest]
    #[case("* * * * *")]
    #[case("0 2 * * 1-5")]
    #[case("*/15 8-18/2 1,15 * 0,7")]
    #[case("5/7 * * * *")]
    #[case("0 0 29 2 *")]
    #[case("0 0 13 * 5")]
    #[case("1-1 * */30 * *")]
    fn what_zato_takes(#[case] pattern: &str) {
        assert_eq!(problem(pattern), None);
    }

    /// As it refuses them, or takes them and never runs.
    #[rstest]
    #[case("* * * *", "cron * * * * has 4 fields: write five")]
    #[case(
        "60 * * * *",
        "cron 60 * * * *: minute 60 has \"60\" where a number from 0 to 59 is needed"
    )]
    #[case(
        "* 22-2 * * *",
        "cron * 22-2 * * *: hour 22-2 goes from 22 down to 2: write two ranges"
    )]
    #[case(
        "1,,2 * * * *",
        "cron 1,,2 * * * *: minute 1,,2 has \"\" where a number from 0 to 59 is needed"
    )]
    #[case(
        "*/0 * * * *",
        "cron */0 * * * *: minute */0 has \"0\" where a number from 1 to 59 is needed"
    )]
    #[case(
        "15/59 * * * *",
        "cron 15/59 * * * *: minute 15/59 has a step of 59, which leads out of 15-59"
    )]
    #[case(
        "* * */31 * *",
        "cron * * */31 * *: day of the month */31 has a step of 31, which leads out of 1-31"
    )]
    #[case(
        "* * * * 8",
        "cron * * * * 8: day of the week 8 has \"8\" where a number from 0 to 7 is needed"
    )]
    #[case(
        "0 0 31 4,6 *",
        "cron 0 0 31 4,6 * never matches: none of its months has such a day"
    )]
    #[case(
        "0 0 30-31 2 *",
        "cron 0 0 30-31 2 * never matches: none of its months has such a day"
    )]
    fn what_would_never_run(#[case] pattern: &str, #[case] told: &str) {
        assert_eq!(problem(pattern).as_deref(), Some(told));
    }
}
