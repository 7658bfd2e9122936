"""The checksums in an RNTuple that uproot does not compare: those of pages and of page lists."""

from typing import Any

import xxhash

# XXH3, little-endian, behind the bytes that it belongs to.
SIZE = 8


def intact(content: bytes) -> bool:
    """Whether bytes that end in their checksum are those that were written."""
    stored = int.from_bytes(content[-SIZE:], "little")
    return bool(xxhash.xxh3_64_intdigest(content[:-SIZE]) == stored)


def checked_pages(ntuple: Any) -> dict[int, int]:
    """Where each page that has a checksum begins in the file, and how many bytes it has.

    Raises
    ------
    ValueError
        If the list of the pages is not the one that was written.
    """
    for record in ntuple.footer.cluster_group_records:
        link = record.page_list_link
        chunk, _ = ntuple.read_locator(link.locator, link.env_uncomp_size)
        content = bytes(chunk.raw_data)[-link.env_uncomp_size :]
        if not intact(content):
            raise ValueError("the checksum of the list of pages does not match")
    return {
        page.locator.offset: page.locator.num_bytes
        for cluster in ntuple.page_link_list
        for column in cluster
        for page in column.pages
        if page.has_checksum
    }
