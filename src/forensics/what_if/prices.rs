//! What quantities cost.

use std::sync::Arc;

use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::event::{SpendDetails, value::read_u128};
use crate::forensics::csv;

/// What a quantity costs: `price` for every `per` of it, rounded up to a whole unit of the budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The name of the quantity.
    pub quantity: Arc<str>,
    /// How much of the budget's unit.
    pub price: u128,
    /// For how much of the quantity; at least 1.
    pub per: u128,
    /// Only where this tool was used.
    pub tool: Option<Arc<str>>,
    /// Only on budgets of this unit.
    pub unit: Option<Arc<str>>,
}

/// Prices of quantities. Of those that fit, one for the tool goes before one for any, then one for the unit before one for
/// any.
///
/// A spend costs the sum of what its quantities cost, each rounded up by itself. One that carries no quantity, or one
/// without a price, keeps its amount.
///
/// ```
/// use tallybook::forensics::PriceTable;
/// let csv = "quantity,price,per,tool\ninput_tokens,3,1000,\noutput_tokens,15,1000,\noutput_tokens,75,1000,opus\n";
/// let json = r#"{"prices":[{"quantity":"input_tokens","price":"3","per":1000},
///     {"quantity":"output_tokens","price":15,"per":1000},
///     {"quantity":"output_tokens","price":75,"per":1000,"tool":"opus"}]}"#;
/// assert_eq!(PriceTable::from_csv(csv).unwrap(), PriceTable::from_json(json).unwrap());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceTable(Vec<Price>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableJson {
    prices: Vec<PriceJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceJson {
    quantity: Arc<str>,
    price: AmountJson,
    per: Option<AmountJson>,
    tool: Option<Arc<str>>,
    unit: Option<Arc<str>>,
}

/// An amount is a string of digits, or an integer where JSON has it exact.
#[derive(Deserialize)]
#[serde(untagged)]
enum AmountJson {
    Integer(u64),
    Digits(String),
}

impl PriceTable {
    /// A table of these prices.
    ///
    /// # Errors
    /// `InvalidArgument` when one is for none of a quantity, or two are for the same.
    pub fn new(prices: impl IntoIterator<Item = Price>) -> Result<PriceTable, Error> {
        let mut table = PriceTable::default();
        for price in prices {
            if price.per == 0 {
                return Err(invalid(format!("per: expected at least 1 of {:?}, found 0", price.quantity)));
            }
            let is_same = |known: &&Price| {
                (&known.quantity, &known.tool, &known.unit) == (&price.quantity, &price.tool, &price.unit)
            };
            if table.0.iter().find(is_same).is_some() {
                return Err(invalid(format!("expected one price for {:?}, found another", price.quantity)));
            }
            table.0.push(price);
        }
        Ok(table)
    }

    /// Reads a table from JSON: `{"prices":[{"quantity","price","per"?,"tool"?,"unit"?}]}`; `per` is 1 unless given.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no such table.
    pub fn from_json(text: &str) -> Result<PriceTable, Error> {
        let table: TableJson =
            serde_json::from_str(text).map_err(|error| invalid(format!("the table of prices: {error}")))?;
        let prices = table.prices.into_iter().map(|row| {
            let PriceJson { quantity, price, per, tool, unit } = row;
            let (price, per) = (price.read()?, per.map_or(Ok(1), |per| per.read())?);
            Ok(Price { quantity, price, per, tool, unit })
        });
        PriceTable::new(prices.collect::<Result<Vec<Price>, Error>>()?)
    }

    /// Reads a table from CSV (RFC 4180) whose first row names the columns: `quantity`, `price`, and optionally `per`, `tool`
    /// and `unit`. An empty field is one that is not given.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no such table.
    pub fn from_csv(text: &str) -> Result<PriceTable, Error> {
        let mut rows = csv::parse(text).map_err(|error| invalid(format!("the table of prices: {error}")))?;
        let Some(head) = (!rows.is_empty()).then(|| rows.remove(0)) else {
            return Err(invalid("the table of prices: expected a row that names the columns, found nothing"));
        };
        const COLUMNS: [&str; 5] = ["quantity", "price", "per", "tool", "unit"];
        let unknown = head.iter().find(|name| !COLUMNS.contains(&name.as_str()));
        if let Some(name) = unknown {
            return Err(invalid(format!(
                "the table of prices: expected columns of {COLUMNS:?}, found {name:?}"
            )));
        }
        let place = |name: &str| head.iter().position(|column| column == name);
        if place("quantity").is_none() || place("price").is_none() {
            return Err(invalid("the table of prices: expected the columns quantity and price"));
        }
        let prices = rows.iter().zip(2..).map(|(row, number)| {
            let field = |name: &str| {
                place(name)
                    .and_then(|index| row.get(index))
                    .map(String::as_str)
                    .filter(|text| !text.is_empty())
            };
            if row.len() != head.len() {
                let (expected, found) = (head.len(), row.len());
                return Err(invalid(format!("row {number}: expected {expected} fields, found {found}")));
            }
            let quantity =
                field("quantity").ok_or_else(|| invalid(format!("row {number}: expected a quantity")))?;
            Ok(Price {
                quantity: quantity.into(),
                price: amount(field("price").unwrap_or_default())?,
                per: field("per").map_or(Ok(1), amount)?,
                tool: field("tool").map(Into::into),
                unit: field("unit").map(Into::into),
            })
        });
        PriceTable::new(prices.collect::<Result<Vec<Price>, Error>>()?)
    }

    /// The prices.
    pub fn prices(&self) -> &[Price] {
        &self.0
    }

    /// What a spend costs by this table on a budget of that unit; `None` where it keeps its amount.
    pub(super) fn cost(&self, details: &SpendDetails, unit: &str) -> Result<Option<u128>, Error> {
        if details.quantities.is_empty() {
            return Ok(None);
        }
        let mut sum = 0u128;
        for quantity in &details.quantities {
            let Some(price) = self.find(&quantity.name, details.tool.as_deref(), unit) else {
                return Ok(None);
            };
            // Rounded up: whoever sells by the thousand bills what was begun.
            let cost = quantity.amount.checked_mul(price.price).map(|cost| cost.div_ceil(price.per));
            let added = cost.and_then(|cost| sum.checked_add(cost));
            sum = added.ok_or_else(|| {
                let Price { price, per, .. } = price;
                let (amount, name) = (quantity.amount, &quantity.name);
                invalid(format!("{amount} of {name:?} at {price} per {per} pass 2^128 - 1"))
            })?;
        }
        Ok(Some(sum))
    }

    fn find(&self, quantity: &str, tool: Option<&str>, unit: &str) -> Option<&Price> {
        let fits = |price: &&Price| {
            *price.quantity == *quantity
                && price.tool.as_deref().is_none_or(|of| Some(of) == tool)
                && price.unit.as_deref().is_none_or(|of| of == unit)
        };
        self.0.iter().filter(fits).max_by_key(|price| (price.tool.is_some(), price.unit.is_some()))
    }
}

impl AmountJson {
    fn read(self) -> Result<u128, Error> {
        match self {
            AmountJson::Integer(value) => Ok(value.into()),
            AmountJson::Digits(text) => amount(&text),
        }
    }
}

fn amount(text: &str) -> Result<u128, Error> {
    read_u128(text.as_bytes()).ok_or_else(|| invalid(format!("expected an amount in digits, found {text:?}")))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Quantity;

    fn details(tool: Option<&str>, quantities: &[(&str, u128)]) -> SpendDetails {
        let quantities =
            quantities.iter().map(|&(name, amount)| Quantity { name: name.into(), amount }).collect();
        SpendDetails { tool: tool.map(Into::into), quantities, ..SpendDetails::default() }
    }

    #[test]
    fn each_quantity_is_rounded_up_and_a_tool_may_have_its_own_price() {
        let table =
            "quantity,price,per,tool,unit\nin,3,1000,,\nout,15,1000,,\nout,75,1000,opus,\nout,1,1,,cents\n";
        let table = PriceTable::from_csv(table).unwrap();
        let cost = |tool, quantities: &[_], unit| table.cost(&details(tool, quantities), unit).unwrap();
        assert_eq!(cost(None, &[("in", 1), ("out", 1)], "usd"), Some(2));
        assert_eq!(cost(None, &[("in", 2_000), ("out", 1_001)], "usd"), Some(6 + 16));
        assert_eq!(cost(Some("opus"), &[("out", 1_000)], "usd"), Some(75));
        assert_eq!(cost(Some("web"), &[("out", 1_000)], "cents"), Some(1_000));
        assert_eq!(cost(Some("opus"), &[("out", 1_000)], "cents"), Some(75), "the tool goes before the unit");
        assert_eq!(cost(None, &[("in", 0)], "usd"), Some(0));
        assert_eq!(cost(None, &[("in", 1), ("cached", 1)], "usd"), None, "one without a price");
        assert_eq!(cost(None, &[], "usd"), None);
        assert!(table.cost(&details(None, &[("in", u128::MAX)]), "usd").is_err());
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for text in [
            "",
            "a,b\n",
            "quantity\nin\n",
            "quantity,price\nin\n",
            "quantity,price\n,1\n",
            "quantity,price\nin,\n",
            "quantity,price\nin,1.5\n",
            "quantity,price,per\nin,1,0\n",
            "quantity,price\nin,1\nin,2\n",
            "quantity,price\n\"in,1\n",
        ] {
            assert!(PriceTable::from_csv(text).is_err(), "{text:?}");
        }
        for text in
            ["", "[]", r#"{"prices":[{"quantity":"a"}]}"#, r#"{"prices":[{"quantity":"a","price":1.5}]}"#]
        {
            assert!(PriceTable::from_json(text).is_err(), "{text:?}");
        }
    }
}
