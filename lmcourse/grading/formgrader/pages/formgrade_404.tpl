{%- set base_url = resources.base_url -%}
{%- extends 'gradebook_base.tpl' -%}

{%- block body -%}
<p>The graded notebook of this submission is missing: {{ resources.filename }}</p>
<p>Grade it again, then reload this page.</p>
{%- endblock -%}
