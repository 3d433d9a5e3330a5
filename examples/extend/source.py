"""A data source: text files in a .zip. `labelprop train notes.zip --labels labels.csv --out runs/notes`."""

from zipfile import BadZipFile, ZipFile

from labelprop.data.sources import NO_COLUMNS, DataError, Entry, RawData, RequestError, as_path


class ZipOfTexts:
    """The .txt files of a .zip; the folder of a file is its label, files at the top have none."""

    def claims(self, data):
        path = as_path(data)
        return path is not None and path.suffix.lower() == ".zip"

    def read(self, data, columns):
        if columns != NO_COLUMNS:
            raise RequestError("a .zip of texts has no columns; leave the --...-col flags out.")
        path = as_path(data)
        try:
            with ZipFile(path) as archive:
                names = sorted(name for name in archive.namelist() if name.endswith(".txt"))
                texts = [archive.read(name).decode() for name in names]
        except (OSError, BadZipFile, UnicodeDecodeError) as error:
            raise DataError(f"cannot read '{path}': {error}. Give a .zip of .txt files in UTF-8.") from error
        given = [name.rpartition("/")[0] or None for name in names]
        return RawData(name=path.stem, ids=names, given=given, texts=texts)


entry = Entry("source:ZipOfTexts", "Text files in a .zip.")
