{%- set base_url = resources.base_url -%}
{%- extends 'gradebook_base.tpl' -%}

{%- block body -%}
<p>This notebook cannot be shown, not even as plain text: {{ filename }}</p>
<p>It takes too long, or it is no notebook: the terminal in which this server runs says which. Grade it again, then reload this page; until then, read the file in an editor for text.</p>
{%- endblock -%}
