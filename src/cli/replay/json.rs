//! What `tallybook replay --json` prints.

use serde::Serialize;
use tallybook::forensics::{BudgetComparison, Difference, Divergence, Effect, WhatIfReport};

/// A divergence as JSON.
#[derive(Serialize)]
pub(super) struct DivergenceJson {
    seq: u64,
    last_seq: u64,
    ts: String,
    op: String,
    actor: Option<String>,
    session_id: Option<String>,
    budget_id: Option<String>,
    amount: Option<String>,
    difference: &'static str,
    stops_work: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Vec<EffectJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gained: Option<Vec<EffectJson>>,
}

#[derive(Serialize)]
struct RefusalJson {
    kind: &'static str,
    budget_id: String,
    limit: Option<String>,
    spent: String,
    reserved: String,
    amount: String,
}

#[derive(Serialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
enum EffectJson {
    Exhausted { budget_id: String },
    Crossed { budget_id: String, threshold_ppm: u32 },
    Moved { goal_id: String, to: &'static str, reason: &'static str },
    Other { text: String },
}

impl EffectJson {
    fn of(effect: &Effect) -> EffectJson {
        match effect {
            Effect::Exhausted(budget) => EffectJson::Exhausted { budget_id: budget.to_string() },
            Effect::Crossed(budget, threshold) => {
                EffectJson::Crossed { budget_id: budget.to_string(), threshold_ppm: threshold.ppm() }
            }
            Effect::Moved { goal_id, to, reason } => {
                EffectJson::Moved { goal_id: goal_id.to_string(), to: to.name(), reason: reason.name() }
            }
            other => EffectJson::Other { text: other.to_string() },
        }
    }
}

impl DivergenceJson {
    pub(super) fn of(divergence: &Divergence) -> DivergenceJson {
        let text = |text: &Option<std::sync::Arc<str>>| text.as_ref().map(ToString::to_string);
        let mut json = DivergenceJson {
            seq: divergence.first_seq,
            last_seq: divergence.last_seq,
            ts: divergence.ts.to_string(),
            op: divergence.op.to_string(),
            actor: text(&divergence.actor),
            session_id: text(&divergence.session_id),
            budget_id: divergence.budget_id.as_ref().map(ToString::to_string),
            amount: divergence.amount.map(|amount| amount.to_string()),
            difference: divergence.difference.name(),
            stops_work: divergence.stops_work(),
            refusal: None,
            counted: None,
            because: None,
            lost: None,
            gained: None,
        };
        let effects = |effects: &[Effect]| Some(effects.iter().map(EffectJson::of).collect());
        match &divergence.difference {
            Difference::Refused(refusal) => {
                json.refusal = Some(RefusalJson {
                    kind: refusal.kind.name(),
                    budget_id: refusal.budget_id.to_string(),
                    limit: refusal.limit.map(|limit| limit.to_string()),
                    spent: refusal.spent.to_string(),
                    reserved: refusal.reserved.to_string(),
                    amount: refusal.amount.to_string(),
                });
            }
            Difference::Passed { is_counted } => json.counted = Some(*is_counted),
            Difference::Impossible(why) => json.because = Some(why.clone()),
            Difference::Otherwise { lost, gained } => {
                (json.lost, json.gained) = (effects(lost), effects(gained))
            }
            _ => {}
        }
        json
    }
}

/// The report as JSON.
#[derive(Serialize)]
pub(super) struct ReportJson {
    report: Summary,
}

#[derive(Serialize)]
struct Summary {
    from_seq: u64,
    to_seq: u64,
    commands: u64,
    refused: u64,
    passed: u64,
    stopped: u64,
    impossible: u64,
    needless: u64,
    otherwise: u64,
    first: Option<DivergenceJson>,
    first_stop: Option<DivergenceJson>,
    budgets: Vec<BudgetJson>,
    untried_refusals: u64,
    repriced: u64,
    unpriced: u64,
    state_hash_then: String,
    state_hash_otherwise: String,
}

#[derive(Serialize)]
struct BudgetJson {
    budget_id: String,
    unit: String,
    limit_then: Option<String>,
    limit_otherwise: Option<String>,
    spent_then: String,
    spent_otherwise: String,
    overage_then: String,
    overage_otherwise: String,
}

impl ReportJson {
    pub(super) fn of(report: &WhatIfReport) -> ReportJson {
        let counts = &report.counts;
        ReportJson {
            report: Summary {
                from_seq: report.from_seq,
                to_seq: report.to_seq,
                commands: report.commands,
                refused: counts.refused,
                passed: counts.passed,
                stopped: counts.stopped,
                impossible: counts.impossible,
                needless: counts.needless,
                otherwise: counts.otherwise,
                first: report.first.as_ref().map(DivergenceJson::of),
                first_stop: report.first_stop.as_ref().map(DivergenceJson::of),
                budgets: report.budgets.iter().map(BudgetJson::of).collect(),
                untried_refusals: report.untried_refusals,
                repriced: report.repriced,
                unpriced: report.unpriced,
                state_hash_then: report.state_hash_then.to_string(),
                state_hash_otherwise: report.state_hash_otherwise.to_string(),
            },
        }
    }
}

impl BudgetJson {
    fn of(budget: &BudgetComparison) -> BudgetJson {
        let limit = |limit: Option<u128>| limit.map(|limit| limit.to_string());
        BudgetJson {
            budget_id: budget.budget_id.to_string(),
            unit: budget.unit.to_string(),
            limit_then: limit(budget.limit_then),
            limit_otherwise: limit(budget.limit_otherwise),
            spent_then: budget.spent_then.to_string(),
            spent_otherwise: budget.spent_otherwise.to_string(),
            overage_then: budget.overage_then.to_string(),
            overage_otherwise: budget.overage_otherwise.to_string(),
        }
    }
}
