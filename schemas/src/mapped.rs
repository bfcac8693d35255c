//! Arrow IPC files of `image_id` and one fixed-size list, uncompressed, and memory-mapped rather than read: what is too
//! large to be held. A reader touches only the pages it uses.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, FixedSizeListArray, RecordBatch, UInt32Array};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::writer::FileWriter;
use arrow_ipc::{Block, root_as_footer};
use arrow_schema::{DataType, Field, Schema};
use fs_err::File;

use crate::stamp::{SCHEMA_VERSION, TABLE};
use crate::{ImageId, SchemaError, Stamp, files};

/// What kind of table a file is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// The table's name.
    pub name: &'static str,
    /// Version of its schema.
    pub version: u32,
    /// The column beside `image_id`.
    pub column: &'static str,
    /// Its type, for messages.
    pub expected: &'static str,
}

/// Rows of a table: `[n]` ids and `[n, width]` items.
pub(crate) type Rows = (Vec<ImageId>, ArrayRef);

/// Writes a table atomically, batch by batch; a batch that cannot be made ends it, and nothing is written.
pub(crate) fn write<E: From<SchemaError>>(
    path: &Path,
    kind: Kind,
    (item, width): (DataType, usize),
    batches: impl IntoIterator<Item = Result<Rows, E>>,
    stamp: &Stamp,
) -> Result<(), E> {
    let bad = |reason: String| SchemaError::BadRows { path: path.to_owned(), table: kind.name, reason };
    let item = Arc::new(Field::new("item", item, false));
    let length = i32::try_from(width).map_err(|error| bad(error.to_string()))?;
    let schema = Arc::new(Schema::new_with_metadata(
        vec![
            Field::new("image_id", DataType::UInt32, false),
            Field::new(kind.column, DataType::FixedSizeList(Arc::clone(&item), length), false),
        ],
        stamp.metadata(kind.name, kind.version),
    ));
    let batch = |(ids, items): Rows| {
        let expected = ids.len() * width;
        if items.len() != expected {
            return Err(bad(format!("{} values where {expected} are expected", items.len())));
        }
        let list = FixedSizeListArray::try_new(Arc::clone(&item), length, items, None);
        let list = list.map_err(|error| bad(error.to_string()))?;
        let ids: ArrayRef = Arc::new(UInt32Array::from_iter_values(ids.iter().map(|id| id.0)));
        RecordBatch::try_new(Arc::clone(&schema), vec![ids, Arc::new(list)]).map_err(|error| bad(error.to_string()))
    };
    let mut failed = None;
    let written = files::write_atomic(path, |file| {
        let buffered = std::io::BufWriter::with_capacity(1 << 20, file);
        let mut writer = FileWriter::try_new(buffered, &schema).map_err(std::io::Error::other)?;
        for rows in batches {
            match rows.and_then(|rows| Ok(batch(rows)?)) {
                Ok(batch) => writer.write(&batch).map_err(std::io::Error::other)?,
                Err(error) => {
                    failed = Some(error);
                    return Err(std::io::Error::other("a batch could not be made"));
                }
            }
        }
        writer.finish().map_err(std::io::Error::other)
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

/// A mapped table: for each batch the ids and the list.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// Batches in the order that they were written in.
    pub batches: Vec<(ScalarBuffer<u32>, FixedSizeListArray)>,
    /// Items of a row.
    pub width: usize,
    /// Who wrote the table.
    pub stamp: Stamp,
}

/// Maps a file that nobody changes as long as the buffer is there.
pub(crate) fn map(file: &std::fs::File) -> std::io::Result<Buffer> {
    // SAFETY: tables are written under another name and renamed, and never changed in place; what is still being computed
    // is locked by who computes it. So the mapped file does not change under the map.
    #[allow(unsafe_code)]
    let map = unsafe { memmap2::Mmap::map(file) }?;
    Ok(Buffer::from(bytes::Bytes::from_owner(map)))
}

/// Maps a table. No value is copied or read yet.
pub(crate) fn open(path: &Path, kind: Kind) -> Result<Mapped, SchemaError> {
    let buffer = map(File::open(path)?.file())?;
    let (schema, batches) = decode(&buffer).map_err(|error| SchemaError::unreadable(path, "Arrow IPC", error))?;
    let found = (schema.metadata.get(TABLE), schema.metadata.get(SCHEMA_VERSION));
    if found != (Some(&kind.name.to_owned()), Some(&kind.version.to_string())) {
        let text = |part: Option<&String>| part.cloned().unwrap_or_else(|| "?".to_owned());
        return Err(SchemaError::WrongTable {
            path: path.to_owned(),
            expected: format!("{} v{}", kind.name, kind.version),
            found: format!("{} v{}", text(found.0), text(found.1)),
        });
    }
    let field = |name: &str, expected: &str| {
        schema.index_of(name).map_err(|_| SchemaError::MissingColumn {
            path: path.to_owned(),
            table: kind.name,
            column: name.to_owned(),
            expected: expected.to_owned(),
        })
    };
    let [id_place, list_place] = [field("image_id", "UInt32")?, field(kind.column, kind.expected)?];
    let columns = |batch: RecordBatch| {
        let (ids, list) = (batch.column(id_place), batch.column(list_place));
        let numbers = ids.as_primitive_opt::<UInt32Type>();
        let numbers = numbers.ok_or_else(|| wrong(path, kind, "image_id", "UInt32", ids))?;
        let items = list.as_fixed_size_list_opt();
        let items = items.ok_or_else(|| wrong(path, kind, kind.column, kind.expected, list))?;
        Ok((numbers.values().clone(), items.clone()))
    };
    let batches = batches.into_iter().map(columns).collect::<Result<Vec<_>, SchemaError>>()?;
    let width = match schema.field(list_place).data_type() {
        DataType::FixedSizeList(_, width) => usize::try_from(*width).unwrap_or_default(),
        _ => 0,
    };
    Ok(Mapped { batches, width, stamp: Stamp::from_metadata(|key| schema.metadata.get(key).map(ToString::to_string)) })
}

/// The error of a column that is of another type.
pub(crate) fn wrong(path: &Path, kind: Kind, column: &str, expected: &str, array: &dyn Array) -> SchemaError {
    SchemaError::WrongType {
        path: path.to_owned(),
        table: kind.name,
        column: column.to_owned(),
        expected: expected.to_owned(),
        found: array.data_type().to_string(),
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Length of what ends an Arrow file: the footer's length (i32) and the magic `ARROW1`.
const TRAILER: usize = 10;

/// The schema and the record batches of an Arrow file, as views into `buffer`.
fn decode(buffer: &Buffer) -> Result<(Arc<Schema>, Vec<RecordBatch>), Failure> {
    let trailer_start = buffer.len().checked_sub(TRAILER).ok_or("shorter than an Arrow trailer")?;
    let trailer: [u8; TRAILER] = buffer[trailer_start..].try_into()?;
    let footer_start = trailer_start.checked_sub(read_footer_length(trailer)?).ok_or("the footer does not fit")?;
    let footer = root_as_footer(&buffer[footer_start..trailer_start]).map_err(|error| error.to_string())?;
    let schema = Arc::new(try_fb_to_schema(footer.schema().ok_or("no schema")?)?);
    // Alignment is required, so that the decoder fails rather than copies the map into memory.
    let decoder = FileDecoder::new(Arc::clone(&schema), footer.version()).with_require_alignment(true);
    let batch = |block: &Block| -> Result<RecordBatch, Failure> {
        let start = usize::try_from(block.offset())?;
        let length = usize::try_from(block.bodyLength())? + usize::try_from(block.metaDataLength())?;
        if start.checked_add(length).is_none_or(|end| end > buffer.len()) {
            return Err("a record batch does not fit into the file".into());
        }
        let batch = decoder.read_record_batch(block, &buffer.slice_with_length(start, length))?;
        Ok(batch.ok_or("an empty record batch")?)
    };
    let batches = footer.recordBatches().iter().flatten().map(batch).collect::<Result<_, _>>()?;
    Ok((schema, batches))
}
