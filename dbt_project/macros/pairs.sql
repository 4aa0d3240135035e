{#-
    A number for a user and an item: what two columns of texts say, in eight bytes, which take less
    to look through. Should two pairs ever have the same number, both are computed anew where one is
    touched. Of MD5, so that it is the same in every release of the database.
-#}
{% macro pair_key() -%}
    md5_number_lower(user_id || chr(0) || item_id)
{%- endmacro %}

{% macro touched_pairs() -%}
    select {{ pair_key() }} from {{ new_changes() }}
    where user_id is not null and item_id is not null
{%- endmacro %}
