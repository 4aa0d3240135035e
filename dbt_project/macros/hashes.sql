{#-
    The rows of a key are found by a hash of it, four bytes that lie beside the key as `<key>_hash`.
    To compare the texts of fifty million rows takes a second, to compare four bytes of each a tenth
    of one. And they are read alone: the numbers of the rows come first, and then the other columns of
    those rows. Of MD5, so that a hash is the same in every release of the database.

    Should two keys have the same hash, both are found, and computed anew where one is touched. A
    second condition beside this one would let the database begin with that, and read all texts.
-#}
{% macro hash_of(key) -%}
    cast(md5_number_lower({{ key }}) & 4294967295 as uinteger)
{%- endmacro %}

{#-
    As a condition on a table: the rows that have the hash of one of the keys, a select of a column of
    that name. Where the days of the rows are known, too, their storage alone is read.
-#}
{% macro has_hash(table, key, keys, days=none) -%}
    rowid in (
        select rowid from {{ table }}
        where
            {{ key }}_hash in (select {{ hash_of(key) }} from ({{ keys }}))
            {%- if days %} and day in ({{ days }}){% endif %}
    )
{%- endmacro %}

{#- As a condition on a table: the rows of those keys, and no others. -#}
{% macro has_key(table, key, keys, days=none) -%}
    rowid in (
        with found as materialized (
            select rowid as found_row, {{ key }} from {{ table }} where {{ has_hash(table, key, keys, days) }}
        )

        select found_row from found where {{ key }} in ({{ keys }})
    )
{%- endmacro %}

{#- A user and an item, for which there is no text. -#}
{% macro pair_hash() -%}
    {{ hash_of('user_id || chr(0) || item_id') }}
{%- endmacro %}

{#-
    As a condition on a table: the rows of the users and items that somebody did something new with.
    `has_their_hash` says which rows to look at: those with the hash of such a pair, or of such a user.
-#}
{% macro is_touched_pair(table, has_their_hash) -%}
    rowid in (
        with found as materialized (
            select rowid as found_row, user_id, item_id from {{ table }} where {{ has_their_hash }}
        )

        select found_row from found
        where (user_id, item_id) in (select (user_id, item_id) from {{ touched_pairs() }})
    )
{%- endmacro %}

{% macro touched_pairs() -%}
    (select user_id, item_id from {{ new_changes() }} where user_id is not null and item_id is not null)
{%- endmacro %}

{% macro has_pair_hash(table) -%}
    rowid in (
        select rowid from {{ table }}
        where pair_hash in (select {{ pair_hash() }} from {{ touched_pairs() }})
    )
{%- endmacro %}
