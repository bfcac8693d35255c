//! A table as a struct of columns: one declaration gives schema, reader, writer and documentation.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, ListArray, RecordBatch, StringArray, UInt32Array,
    UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema};
use serde_json::{Map, Value};

use crate::{ClusterId, Epoch, ImageId, SchemaError};

/// What the data dictionary says of a column.
#[derive(Debug, Clone)]
pub struct Column {
    /// The column's name.
    pub name: &'static str,
    /// Its Arrow type.
    pub data_type: DataType,
    /// Whether a row may have none.
    pub nullable: bool,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// A table of the contract. Implemented by the `table!` macro alone.
pub trait Table: Default {
    /// The table's name: its folder in a run.
    const NAME: &'static str;
    /// Version of the schema, raised at every change.
    const VERSION: u32;
    /// What a row is.
    const DOC: &'static str;

    /// The columns in order.
    fn columns() -> Vec<Column>;
    /// The number of rows.
    fn len(&self) -> usize;
    /// True for a table without rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The columns as Arrow arrays, in the schema's order.
    fn to_arrays(&self) -> Vec<ArrayRef>;
    /// Appends the rows of a batch read from `path`.
    ///
    /// # Errors
    /// When a column is missing, has another type, or holds nulls it may not hold.
    fn append_batch(&mut self, batch: &RecordBatch, path: &Path) -> Result<(), SchemaError>;

    /// A row as one JSON object: each column under its name. Null stands for null, for what is no number, and in all
    /// columns of a row that is not there. Columns of lists are left out.
    #[must_use]
    fn json(&self, row: usize) -> Map<String, Value> {
        let columns = Self::columns().into_iter().zip(self.to_arrays());
        let plain = columns.filter(|(_, array)| !array.data_type().is_nested());
        plain.map(|(column, array)| (column.name.to_owned(), json(&array, row))).collect()
    }

    /// The Arrow schema, without footer metadata.
    #[must_use]
    fn schema() -> Schema {
        let field = |column: Column| Field::new(column.name, column.data_type, column.nullable);
        Schema::new(Self::columns().into_iter().map(field).collect::<Vec<_>>())
    }
}

/// A cell as JSON; null for a row that is not there and for what is no number.
#[must_use]
pub fn json(array: &dyn Array, row: usize) -> Value {
    if row >= array.len() || array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        // The digits that it has, not those of the f64 beside it.
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_string().parse::<f64>().ok().into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|item| json(&items, item)).collect()
        }
        _ => Value::Null,
    }
}

/// A Rust type that is the type of a column.
pub trait Cell: Sized {
    /// The Arrow type.
    fn data_type() -> DataType;
    /// Whether a cell may be null.
    const NULLABLE: bool = false;
    /// A column of cells as an Arrow array.
    fn to_array(cells: &[Self]) -> ArrayRef;
    /// Appends the cells of an array of `Self::data_type()`; the caller has checked type and nulls.
    fn append(array: &dyn Array, into: &mut Vec<Self>);
}

macro_rules! primitive_cell {
    ($rust:ty, $arrow:ident, $array:ident, $variant:ident) => {
        impl Cell for $rust {
            fn data_type() -> DataType {
                DataType::$variant
            }
            fn to_array(cells: &[Self]) -> ArrayRef {
                Arc::new($array::from_iter_values(cells.iter().copied()))
            }
            fn append(array: &dyn Array, into: &mut Vec<Self>) {
                into.extend_from_slice(array.as_primitive::<$arrow>().values());
            }
        }
        impl Cell for Option<$rust> {
            const NULLABLE: bool = true;
            fn data_type() -> DataType {
                DataType::$variant
            }
            fn to_array(cells: &[Self]) -> ArrayRef {
                Arc::new($array::from_iter(cells.iter().copied()))
            }
            fn append(array: &dyn Array, into: &mut Vec<Self>) {
                into.extend(array.as_primitive::<$arrow>().iter());
            }
        }
    };
}
primitive_cell!(u32, UInt32Type, UInt32Array, UInt32);
primitive_cell!(u64, UInt64Type, UInt64Array, UInt64);
primitive_cell!(f32, Float32Type, Float32Array, Float32);
primitive_cell!(f64, Float64Type, Float64Array, Float64);

macro_rules! id_cell {
    ($($id:ident),*) => {$(
        impl Cell for $id {
            fn data_type() -> DataType {
                DataType::UInt32
            }
            fn to_array(cells: &[Self]) -> ArrayRef {
                Arc::new(UInt32Array::from_iter_values(cells.iter().map(|id| id.0)))
            }
            fn append(array: &dyn Array, into: &mut Vec<Self>) {
                into.extend(array.as_primitive::<UInt32Type>().values().iter().map(|&id| $id(id)));
            }
        }
    )*};
}
id_cell!(ImageId, ClusterId, Epoch);

impl Cell for bool {
    fn data_type() -> DataType {
        DataType::Boolean
    }
    fn to_array(cells: &[Self]) -> ArrayRef {
        Arc::new(BooleanArray::from(cells.to_vec()))
    }
    fn append(array: &dyn Array, into: &mut Vec<Self>) {
        into.extend(array.as_boolean().values().iter());
    }
}

impl Cell for String {
    fn data_type() -> DataType {
        DataType::Utf8
    }
    fn to_array(cells: &[Self]) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(cells))
    }
    fn append(array: &dyn Array, into: &mut Vec<Self>) {
        into.extend(array.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()));
    }
}

impl Cell for Option<String> {
    const NULLABLE: bool = true;
    fn data_type() -> DataType {
        DataType::Utf8
    }
    fn to_array(cells: &[Self]) -> ArrayRef {
        Arc::new(StringArray::from_iter(cells.iter().map(Option::as_deref)))
    }
    fn append(array: &dyn Array, into: &mut Vec<Self>) {
        into.extend(array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)));
    }
}

/// A list per row, for example a centroid `[d]`.
impl<I: Cell + Clone> Cell for Vec<I> {
    fn data_type() -> DataType {
        DataType::List(item::<I>())
    }
    fn to_array(cells: &[Self]) -> ArrayRef {
        let offsets = OffsetBuffer::from_lengths(cells.iter().map(Vec::len));
        Arc::new(ListArray::new(item::<I>(), offsets, I::to_array(&cells.concat()), None))
    }
    fn append(array: &dyn Array, into: &mut Vec<Self>) {
        for row in array.as_list::<i32>().iter() {
            let mut cell = Vec::new();
            if let Some(row) = row {
                I::append(row.as_ref(), &mut cell);
            }
            into.push(cell);
        }
    }
}

/// The field of a list's items.
fn item<I: Cell>() -> Arc<Field> {
    Arc::new(Field::new("item", I::data_type(), I::NULLABLE))
}

/// A column of a batch, with name, type and nulls checked.
pub(crate) fn checked<'a>(
    table: &'static str,
    column: &Column,
    batch: &'a RecordBatch,
    path: &Path,
) -> Result<&'a ArrayRef, SchemaError> {
    let name = || column.name.to_owned();
    let expected = || column.data_type.to_string();
    let Some(array) = batch.column_by_name(column.name) else {
        return Err(SchemaError::MissingColumn { path: path.to_owned(), table, column: name(), expected: expected() });
    };
    if *array.data_type() != column.data_type {
        return Err(SchemaError::WrongType {
            path: path.to_owned(),
            table,
            column: name(),
            expected: expected(),
            found: array.data_type().to_string(),
        });
    }
    if !column.nullable && array.null_count() > 0 {
        return Err(SchemaError::Nulls { path: path.to_owned(), column: name(), count: array.null_count() });
    }
    Ok(array)
}

/// Appends the cells of a column of a batch.
pub(crate) fn append_column<C: Cell>(
    table: &'static str,
    name: &'static str,
    batch: &RecordBatch,
    path: &Path,
    into: &mut Vec<C>,
) -> Result<(), SchemaError> {
    let column = Column { name, data_type: C::data_type(), nullable: C::NULLABLE, doc: "" };
    C::append(checked(table, &column, batch, path)?.as_ref(), into);
    Ok(())
}

/// Declares a table: a struct with a `Vec` per column, and its [`Table`] implementation.
macro_rules! table {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $table:literal v $version:literal {
            $($(#[doc = $column_doc:literal])+ $column:ident: $cell:ty,)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $($(#[doc = $column_doc])+ pub $column: Vec<$cell>,)+
        }

        impl $crate::Table for $name {
            const NAME: &'static str = $table;
            const VERSION: u32 = $version;
            const DOC: &'static str = concat!($($doc),+);

            fn columns() -> Vec<$crate::Column> {
                vec![$($crate::Column {
                    name: stringify!($column),
                    data_type: <$cell as $crate::Cell>::data_type(),
                    nullable: <$cell as $crate::Cell>::NULLABLE,
                    doc: concat!($($column_doc),+).trim_ascii(),
                }),+]
            }

            fn len(&self) -> usize {
                [$(self.$column.len()),+][0]
            }

            fn to_arrays(&self) -> Vec<arrow_array::ArrayRef> {
                vec![$(<$cell as $crate::Cell>::to_array(&self.$column)),+]
            }

            fn append_batch(
                &mut self,
                batch: &arrow_array::RecordBatch,
                path: &std::path::Path,
            ) -> Result<(), $crate::SchemaError> {
                $($crate::table::append_column($table, stringify!($column), batch, path, &mut self.$column)?;)+
                Ok(())
            }
        }
    };
}
pub(crate) use table;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Metrics};

    #[test]
    fn a_row_as_json_has_every_column_under_its_name() {
        let metrics = Metrics {
            images: vec![3000],
            purity: vec![None],
            nmi_labels: vec![Some(f64::NAN)],
            spread: vec![0.5],
            ..Metrics::default()
        };
        let row = metrics.json(0);
        let mut names: Vec<&str> = Metrics::columns().iter().map(|column| column.name).collect();
        names.sort_unstable();
        let mut found: Vec<&String> = row.keys().collect();
        found.sort_unstable();
        assert_eq!(found, names);
        assert_eq!((&row["images"], &row["spread"]), (&3000.into(), &0.5.into()));
        // A column without the row, a null, and what JSON has no word for.
        assert!([&row["clusters"], &row["purity"], &row["nmi_labels"]].into_iter().all(Value::is_null));
        assert_eq!(Value::Object(row).to_string().matches("null").count(), Metrics::columns().len() - 2);
        let labels = Labels { image_id: vec![ImageId(7)], label: vec!["SA".to_owned()] };
        assert_eq!(Value::Object(labels.json(0)).to_string(), r#"{"image_id":7,"label":"SA"}"#);
    }
}
