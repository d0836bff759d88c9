//! What answers are about, as JSON: amounts as strings, counters and `seq`s as integers, what is not there as null.

mod budget;
mod goal;
mod meter;
mod report;
mod reservation;
mod spend;

pub use budget::BudgetJson;
pub use goal::GoalJson;
pub use meter::MeterJson;
pub use report::ReportJson;
pub use reservation::ReservationJson;
pub use spend::SpendJson;
