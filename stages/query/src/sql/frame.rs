//! Arrow batches to frames of Polars and back. Polars' own reader would build ten times as much.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch,
    StringArray, UInt32Array, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType as ArrowType, Field};
use deepmcat_schemas::Column as OwnColumn;
use polars::prelude::{self as pl, *};

use crate::Error;

/// The type of Polars for a column of ours.
pub(super) fn data_type(arrow: &ArrowType) -> PolarsResult<DataType> {
    Ok(match arrow {
        ArrowType::UInt32 => DataType::UInt32,
        ArrowType::UInt64 => DataType::UInt64,
        ArrowType::Float32 => DataType::Float32,
        ArrowType::Float64 => DataType::Float64,
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Utf8 => DataType::String,
        ArrowType::List(item) => DataType::List(Box::new(data_type(item.data_type())?)),
        other => polars_bail!(ComputeError: "no table has columns of {other}"),
    })
}

/// Batches of these columns, in this order, as one frame.
pub(super) fn of_batches(batches: &[RecordBatch], columns: &[OwnColumn]) -> PolarsResult<DataFrame> {
    let height = batches.iter().map(RecordBatch::num_rows).sum();
    let column = |(place, column): (usize, &OwnColumn)| -> PolarsResult<Column> {
        let arrays: Vec<&ArrayRef> = batches.iter().map(|batch| batch.column(place)).collect();
        Ok(series(column.name.into(), &column.data_type, &arrays)?.into_column())
    };
    DataFrame::new(height, columns.iter().enumerate().map(column).collect::<PolarsResult<_>>()?)
}

fn series(name: PlSmallStr, arrow: &ArrowType, arrays: &[&ArrayRef]) -> PolarsResult<Series> {
    Ok(match arrow {
        ArrowType::UInt32 => numbers::<UInt32Type, pl::UInt32Type>(name, arrays),
        ArrowType::UInt64 => numbers::<UInt64Type, pl::UInt64Type>(name, arrays),
        ArrowType::Float32 => numbers::<Float32Type, pl::Float32Type>(name, arrays),
        ArrowType::Float64 => numbers::<Float64Type, pl::Float64Type>(name, arrays),
        ArrowType::Boolean => {
            let values = arrays.iter().flat_map(|array| array.as_boolean().iter());
            BooleanChunked::from_iter_options(name, values).into_series()
        }
        ArrowType::Utf8 => {
            let values = arrays.iter().flat_map(|array| array.as_string::<i32>().iter());
            StringChunked::from_iter_options(name, values).into_series()
        }
        ArrowType::List(item) if *item.data_type() == ArrowType::UInt32 => {
            lists::<UInt32Type, pl::UInt32Type>(name, arrays)
        }
        ArrowType::List(item) if *item.data_type() == ArrowType::Float32 => {
            lists::<Float32Type, pl::Float32Type>(name, arrays)
        }
        other => polars_bail!(ComputeError: "no table has columns of {other}"),
    })
}

/// Numbers of type `A` in Arrow, `P` in Polars.
fn numbers<A, P>(name: PlSmallStr, arrays: &[&ArrayRef]) -> Series
where
    A: ArrowPrimitiveType,
    P: PolarsNumericType<Native = A::Native>,
    ChunkedArray<P>: IntoSeries + NewChunkedArray<P, A::Native>,
{
    let arrays = arrays.iter().map(|array| array.as_primitive::<A>());
    if arrays.clone().any(|array| array.null_count() > 0) {
        return ChunkedArray::<P>::from_iter_options(name, arrays.flat_map(|array| array.iter())).into_series();
    }
    let mut values = Vec::with_capacity(arrays.clone().map(|array| array.len()).sum());
    arrays.for_each(|array| values.extend_from_slice(array.values()));
    ChunkedArray::<P>::from_vec(name, values).into_series()
}

/// The same of lists of numbers, none of which is null.
fn lists<A, P>(name: PlSmallStr, arrays: &[&ArrayRef]) -> Series
where
    A: ArrowPrimitiveType,
    P: PolarsNumericType<Native = A::Native>,
{
    let arrays = arrays.iter().map(|array| array.as_list::<i32>());
    let rows = arrays.clone().map(|array| array.len()).sum();
    let items = arrays.clone().map(|array| array.values().len()).sum();
    let mut builder = ListPrimitiveChunkedBuilder::<P>::new(name, rows, items, P::get_static_dtype());
    for array in arrays {
        let items = array.values().as_primitive::<A>().values();
        array
            .value_offsets()
            .windows(2)
            .for_each(|ends| builder.append_slice(&items[ends[0] as usize..ends[1] as usize]));
    }
    builder.finish().into_series()
}

/// A frame as one Arrow batch.
///
/// # Errors
/// When a column has a type that no format of ours holds.
pub(super) fn to_rows(frame: &DataFrame) -> Result<RecordBatch, Error> {
    let column = |column: &Column| -> Result<(String, ArrayRef, bool), Error> {
        let (name, found) = (column.name().to_string(), format!("{:?}", column.dtype()));
        let array = array(column.as_materialized_series());
        Ok((name.clone(), array.map_err(|_| Error::Type { column: name, found })?, true))
    };
    let columns: Vec<(String, ArrayRef, bool)> = frame.columns().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| Error::Rows(error.to_string()))
}

fn array(series: &Series) -> PolarsResult<ArrayRef> {
    Ok(match series.dtype() {
        DataType::UInt32 => Arc::new(series.u32()?.iter().collect::<UInt32Array>()),
        DataType::UInt64 => Arc::new(series.u64()?.iter().collect::<UInt64Array>()),
        DataType::Int64 => Arc::new(series.i64()?.iter().collect::<Int64Array>()),
        DataType::Float32 => Arc::new(series.f32()?.iter().collect::<Float32Array>()),
        DataType::Float64 => Arc::new(series.f64()?.iter().collect::<Float64Array>()),
        DataType::Boolean => Arc::new(series.bool()?.iter().collect::<BooleanArray>()),
        DataType::String => Arc::new(series.str()?.iter().collect::<StringArray>()),
        DataType::List(_) => {
            let mut lengths = Vec::with_capacity(series.len());
            let mut items = Series::new_empty(PlSmallStr::EMPTY, series.list()?.inner_dtype());
            for chunk in series.list()?.downcast_iter() {
                let offsets = chunk.offsets();
                lengths.extend(offsets.lengths());
                let (first, all) = (*offsets.first() as usize, offsets.range() as usize);
                items.append_owned(Series::try_from((PlSmallStr::EMPTY, chunk.values().sliced(first, all)))?)?;
            }
            let items = array(&items)?;
            let field = Arc::new(Field::new("item", items.data_type().clone(), true));
            let nulls = series.is_not_null().iter().map(|there| there == Some(true)).collect::<Vec<bool>>();
            Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(lengths), items, Some(nulls.into())))
        }
        DataType::Null => Arc::new(StringArray::new_null(series.len())),
        // 32 bits and fewer.
        whole if whole.is_integer() => array(&series.cast(&DataType::Int64)?)?,
        _ => array(&series.cast(&DataType::String)?)?,
    })
}
