// SPDX-License-Identifier: Apache-2.0

//! A program that the pyroscope crate profiles until it is killed: SERVER APPLICATION.

use std::hint::black_box;
use std::time::{Duration, Instant};

use pyroscope::backend::{pprof_backend, BackendConfig, PprofConfig};
use pyroscope::pyroscope::PyroscopeAgentBuilder;

#[inline(never)]
fn spend_time_here(duration: Duration) -> u64 {
    let mut sum = 0u64;
    let end = Instant::now() + duration;
    while Instant::now() < end {
        for number in 0..1000u64 {
            sum = sum.wrapping_add(black_box(number) * number);
        }
    }
    sum
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut parameters = std::env::args().skip(1);
    let server = parameters.next().ok_or("no server")?;
    let application = parameters.next().ok_or("no application")?;
    let agent = PyroscopeAgentBuilder::new(
        server,
        application,
        100,
        "pyroscope-rs",
        env!("CARGO_PKG_VERSION"),
        pprof_backend(PprofConfig::default(), BackendConfig::default()),
    )
    .tags(vec![("region", "eu-north")])
    .upload_interval(Duration::from_secs(2))
    .build()?;
    let running = agent.start()?;
    let (add_tag, _remove_tag) = running.tag_wrapper();
    add_tag("controller".to_string(), "checkout".to_string())?;
    loop {
        black_box(spend_time_here(Duration::from_millis(50)));
    }
}
