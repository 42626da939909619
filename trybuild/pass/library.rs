//! Jobs of another crate: one `use` imports a job, and what is inside its module is the worker's to list.

use afterhours::Job;
use afterhours_ui::places::of_all;
use afterhours_ui::{Order, documented, r#match};

fn main() {
    let _ = documented::prepare(1, "a");
    let _ = of_all::perform_async(1);
    let _ = Order::forget_job;
    let jobs: [Job; 3] = [documented::JOB, r#match::JOB, Order::CONFIRM_JOB];
    let names = jobs.map(|job| job.name().to_owned());
    let expected = ["documented", "match", "Order::confirm"].map(|name| format!("afterhours_ui::{name}"));
    assert_eq!(names, expected);
}
