//! Assignments and labels to contingency tables: joins and group-bys of polars.

use polars::prelude::*;

use crate::contingency::Contingency;

const IMAGE: &str = "image_id";
const LEFT: &str = "left";
const RIGHT: &str = "right";

/// A frame of image ids and a value of each.
///
/// # Errors
/// When the columns differ in length.
pub fn frame(ids: &[u32], values: Series) -> PolarsResult<LazyFrame> {
    let ids = Column::from(Series::new(IMAGE.into(), ids));
    Ok(DataFrame::new(ids.len(), vec![ids, values.into()])?.lazy())
}

/// What two frames say of the same images: counts of (left value, right value), images that both have a value for.
///
/// # Errors
/// When polars refuses the frames.
pub fn contingency(left: LazyFrame, right: LazyFrame) -> PolarsResult<Contingency> {
    let named = |frame: LazyFrame, name: &str| frame.select([col(IMAGE), col("value").alias(name)]);
    let counts = named(left, LEFT)
        .join(named(right, RIGHT), [col(IMAGE)], [col(IMAGE)], JoinArgs::new(JoinType::Inner))
        .drop_nulls(None)
        .group_by([col(LEFT), col(RIGHT)])
        .agg([len().cast(DataType::UInt64).alias("count")])
        // One type for labels and cluster numbers, once there are few rows of them.
        .with_columns([col(LEFT).cast(DataType::String), col(RIGHT).cast(DataType::String)])
        .collect()?;
    let (left, right) = (counts.column(LEFT)?.str()?, counts.column(RIGHT)?.str()?);
    let sums = counts.column("count")?.u64()?;
    let rows = left.iter().zip(right.iter()).zip(sums.iter());
    Ok(Contingency::from_counts(rows.filter_map(|((left, right), count)| Some((left?, right?, count?)))))
}

/// How many images have the same value in both frames, and how many are in both.
///
/// # Errors
/// When polars refuses the frames.
pub fn unchanged(left: LazyFrame, right: LazyFrame) -> PolarsResult<(u64, u64)> {
    let named = |frame: LazyFrame, name: &str| frame.select([col(IMAGE), col("value").alias(name)]);
    let sums = named(left, LEFT)
        .join(named(right, RIGHT), [col(IMAGE)], [col(IMAGE)], JoinArgs::new(JoinType::Inner))
        .select([
            col(LEFT).eq(col(RIGHT)).cast(DataType::UInt64).sum().alias("same"),
            len().cast(DataType::UInt64).alias("all"),
        ])
        .collect()?;
    let one = |name: &str| -> PolarsResult<u64> { Ok(sums.column(name)?.u64()?.get(0).unwrap_or_default()) };
    Ok((one("same")?, one("all")?))
}
