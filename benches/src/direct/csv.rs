//! What redis-benchmark prints with `--csv`.

use std::time::Duration;

/// The line of its one test.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// How many were sent.
    pub requests: u64,
    /// Requests in a second.
    pub rate: f64,
    /// How long the test was.
    pub elapsed: Duration,
    /// The median of the latencies.
    pub p50: Duration,
    /// 99 % of them were no longer.
    pub p99: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Row {
    /// Finds the figures by the names of their columns. The first column is the command itself, whose commas and quotation
    /// marks are not escaped, so columns are counted from the end.
    pub fn parse(printed: &str, requests: u64) -> Result<Self, String> {
        let wrong = || format!("redis-benchmark printed: {printed}");
        let mut lines = printed.lines().filter(|line| line.starts_with('"'));
        let (Some(names), Some(figures), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(wrong());
        };
        let figure = |name: &str| {
            let column = names.rsplit(',').position(|column| column.trim_matches('"') == name).ok_or_else(wrong)?;
            let figure = figures.rsplit(',').nth(column).map(|figure| figure.trim_matches('"'));
            let figure = figure.and_then(|figure| figure.parse::<f64>().ok());
            figure.filter(|figure| figure.is_finite() && *figure >= 0.0).ok_or_else(wrong)
        };
        let milliseconds = |name| Ok::<_, String>(Duration::from_secs_f64(figure(name)? / 1000.0));
        let rate = figure("rps")?;
        let elapsed = Duration::try_from_secs_f64(requests as f64 / rate).map_err(|_| wrong())?;
        Ok(Self {
            requests,
            rate,
            elapsed,
            p50: milliseconds("p50_latency_ms")?,
            p99: milliseconds("p99_latency_ms")?,
            longest: milliseconds("max_latency_ms")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = r#""test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms""#;

    #[test]
    fn figures_are_found_behind_a_command_with_commas_and_quotation_marks() {
        let printed = format!(
            "{NAMES}\n{}\n",
            r#""EVALSHA 1 a ["x","y"] ,"1","2"","50000.00","0.9","0.1","0.503","1.0","2.007","9.5""#
        );
        let row = Row::parse(&printed, 100_000).expect("it is well-formed");
        assert_eq!(row.elapsed, Duration::from_secs(2));
        assert_eq!(row.p50, Duration::from_micros(503));
        assert_eq!(row.p99, Duration::from_micros(2007));
        assert_eq!(row.longest, Duration::from_micros(9500));
    }

    #[test]
    fn what_is_no_figure_is_an_error_with_all_that_was_printed() {
        for printed in [
            "Could not connect to Redis at 127.0.0.1:1: Connection refused".to_string(),
            NAMES.to_string(),
            format!("{NAMES}\n{}", r#""GET","-nan","0.9","0.1","0.503","1.0","2.007","9.5""#),
            format!("{NAMES}\n{}", r#""GET","0.00","0.9","0.1","0.503","1.0","2.007","9.5""#),
            // Redis 6.0 has no latencies.
            "\"test\",\"rps\"\n\"GET\",\"50000.00\"".to_string(),
        ] {
            let error = Row::parse(&printed, 1000).expect_err("it has no figures");
            assert!(error.contains(&printed), "{error}");
        }
    }
}
